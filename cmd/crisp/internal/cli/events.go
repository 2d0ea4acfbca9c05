package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/internal/terminal"
)

func (a *app) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "What Crisp can tell: its 82 events",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.eventsListCommand(), a.eventsDescribeCommand())
	return cmd
}

const eventsListHelp = `List the events, or those that patterns such as 'message:*' and the flags leave.

A line has the event's name, the transports by which it comes, the tiers of
token that get it, and the scope that a plugin's token needs. No credentials
are needed.`

const eventsListExamples = `  crisp events list
  crisp events list 'people:*' --tier plugin
  crisp events list --scope website:conversation:messages --json`

func (a *app) eventsListCommand() *cobra.Command {
	var only eventFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "list [PATTERN…]",
		Short:             "List the events",
		Long:              eventsListHelp,
		Example:           eventsListExamples,
		ValidArgsFunction: completeEventNames,
		RunE: func(cmd *cobra.Command, patterns []string) error {
			if err := a.preferJSON(cmd, asJSON); err != nil {
				return err
			}
			printer, err := a.printer()
			if err != nil {
				return err
			}
			chosen, err := only.choose(patterns)
			if err != nil {
				return usageError(err)
			}
			for _, info := range chosen {
				if err := printer.Print(output.Item{Line: eventLine(info), Value: info}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&only.tier, "tier", "", "only what tokens of this `tier` get: plugin, user or website")
	flags.StringVar(&only.transport, "transport", "", "only what comes by this `way`: rtm or webhook")
	flags.StringVar(&only.scope, "scope", "", "only what needs this `scope`, or one that begins so")
	flags.BoolVar(&asJSON, "json", false, "the same as --format json")
	a.completeWords(cmd, "tier", "plugin", "user", "website")
	a.completeWords(cmd, "transport", eventinfo.RTM, eventinfo.Webhook)
	a.completeWords(cmd, "scope", scopes()...)
	return cmd
}

// eventFilter says which events to list.
type eventFilter struct{ tier, transport, scope string }

func (f eventFilter) choose(patterns []string) ([]eventinfo.Info, error) {
	if err := oneOf("--tier", f.tier, "plugin", "user", "website"); err != nil {
		return nil, err
	}
	if err := oneOf("--transport", f.transport, eventinfo.RTM, eventinfo.Webhook); err != nil {
		return nil, err
	}
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	names, err := eventinfo.Expand(patterns)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		info, err := findEvent(name)
		if err != nil {
			return nil, err
		}
		names[i] = info.Name
	}
	return slices.DeleteFunc(eventinfo.All(), func(info eventinfo.Info) bool {
		return !slices.Contains(names, info.Name) ||
			f.tier != "" && !slices.Contains(info.Tiers, f.tier) ||
			f.transport != "" && !slices.Contains(info.Transports, f.transport) ||
			f.scope != "" && !strings.HasPrefix(info.Scope, f.scope)
	}), nil
}

// oneOf returns an error if a flag's value is neither empty nor one of the words.
func oneOf(flag, value string, words ...string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return fmt.Errorf("%s is %q; it must be %s", flag, value, strings.Join(words, " or "))
}

func scopes() []string {
	var all []string
	for _, info := range eventinfo.All() {
		if info.Scope != "" && !slices.Contains(all, info.Scope) {
			all = append(all, info.Scope)
		}
	}
	return all
}

// findEvent describes an event, or returns an error if there is none with the name.
func findEvent(name string) (eventinfo.Info, error) {
	info, found := eventinfo.Find(name)
	if !found {
		return info, eventinfo.Unknown(name)
	}
	return info, nil
}

func eventLine(info eventinfo.Info) func(output.Style) string {
	return func(style output.Style) string {
		line := fmt.Sprintf("%-37s %-12s %-20s %s", info.Name, strings.Join(info.Transports, ","), strings.Join(info.Tiers, ","), style.Dim(info.Scope))
		return strings.TrimRight(line, " ")
	}
}

const eventsDescribeHelp = `Describe an event: what it tells, who gets it, the fields of its payload, how a
Go program hears of it, and a sample.

The event is named as on the wire (message:send), by an alias, or by its Go type
(MessageSend). --schema, --go and --sample write that alone, to be piped.`

const eventsDescribeExamples = `  crisp events describe message:send
  crisp events describe people:profile:created --schema > profile.schema.json
  crisp events describe session:set_email --sample --jq .email`

// eventDetails is what describe writes.
type eventDetails struct {
	eventinfo.Info
	Fields []eventinfo.Field `json:"fields"`
	Go     string            `json:"go"`
	Sample json.RawMessage   `json:"sample"`
}

func (a *app) eventsDescribeCommand() *cobra.Command {
	var asJSON, schema, code, sample bool
	cmd := &cobra.Command{
		Use:               "describe EVENT",
		Short:             "Describe an event",
		Long:              eventsDescribeHelp,
		Example:           eventsDescribeExamples,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeEventNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.preferJSON(cmd, asJSON); err != nil {
				return err
			}
			printer, err := a.printer()
			if err != nil {
				return err
			}
			info, err := findEvent(args[0])
			if err != nil {
				return usageError(err)
			}
			switch {
			case schema:
				return printer.Print(jsonItem(info.Schema()))
			case code:
				return printer.Print(output.Item{Line: func(output.Style) string { return info.Go() }, Value: map[string]string{"go": info.Go()}})
			case sample:
				return printer.Print(jsonItem(info.Sample()))
			}
			details := eventDetails{info, info.Fields(), info.Go(), info.Sample()}
			return printer.Print(output.Item{Line: details.line, Value: details})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "the same as --format json")
	flags.BoolVar(&schema, "schema", false, "write the JSON schema of the payload")
	flags.BoolVar(&code, "go", false, "write how a Go program hears of the event")
	flags.BoolVar(&sample, "sample", false, "write a sample of the payload")
	cmd.MarkFlagsMutuallyExclusive("schema", "go", "sample")
	return cmd
}

// jsonItem returns JSON as an item, indented for people.
func jsonItem(text json.RawMessage) output.Item {
	return output.Item{Line: func(output.Style) string { return indented(text) }, Value: text, Raw: text}
}

// indented returns indented JSON that is safe to show.
func indented(text json.RawMessage) string {
	var lines bytes.Buffer
	if err := json.Indent(&lines, text, "", "  "); err != nil {
		return string(terminal.JSON(text))
	}
	return string(terminal.JSON(lines.Bytes()))
}

// line describes the event in full, for people.
func (d eventDetails) line(style output.Style) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", style.Strong(d.Name), d.Summary)
	if d.Description != "" {
		fmt.Fprintf(&b, "%s\n", strings.ReplaceAll(d.Description, "\n", " "))
	}
	b.WriteString("\n")
	for _, row := range []struct{ what, is string }{
		{"also called", strings.Join(d.Aliases, ", ")},
		{"comes by", strings.Join(d.Transports, ", ")},
		{"tiers", strings.Join(d.Tiers, ", ")},
		{"scope", d.Scope},
		{"Go type", "crisp." + d.GoType},
	} {
		if row.is != "" {
			fmt.Fprintf(&b, "%-12s %s\n", row.what, row.is)
		}
	}
	b.WriteString("\n" + style.Strong("Fields") + " (* is always there)\n")
	for _, f := range d.Fields {
		mark := " "
		if f.Required {
			mark = "*"
		}
		fmt.Fprintf(&b, "%s %-30s %-18s %s\n", mark, f.Path, f.Type, style.Dim(f.Description))
	}
	fmt.Fprintf(&b, "\n%s\n%s\n", style.Strong("In Go"), d.Go)
	fmt.Fprintf(&b, "\n%s\n%s", style.Strong("Sample"), indented(d.Sample))
	return b.String()
}
