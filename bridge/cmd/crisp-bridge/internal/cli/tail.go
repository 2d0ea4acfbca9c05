package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
	"github.com/crisp-go/crisp/internal/terminal"
)

// format is how data are written to stdout.
type format string

const (
	formatLine format = "line"
	formatJSON format = "json"
)

func (f *format) add(cmd *cobra.Command) {
	*f = formatLine
	cmd.Flags().Var(f, "format", "how to write: line, or json, a line each")
}

// Set implements pflag.Value.
func (f *format) Set(text string) error {
	switch format(text) {
	case formatLine, formatJSON:
		*f = format(text)
		return nil
	default:
		return fmt.Errorf("%q is none; there are line and json", text)
	}
}

func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (*format) Type() string { return "format" }

// tailFlags are the flags of tail.
type tailFlags struct {
	from         string
	events       []string
	conversation string
	format       format
}

func (a *app) tailCommand() *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show what comes into the log",
		Long: `Show what comes into the log, until SIGINT. It takes nothing from the programs that
handle it. Lines show how what people write begins; json shows all of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.tail(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "now", "the `time` to begin at: now, oldest, an age such as 1h, or a time such as 2006-01-02T15:04:05Z")
	flags.StringSliceVar(&f.events, "event", nil, "the `name` of an event to show, repeatable; crisp.bridge.gap and the like are names, too")
	flags.StringVar(&f.conversation, "conversation", "", "the session `ID` of the conversation to show")
	f.format.add(cmd)
	return cmd
}

func (a *app) tail(ctx context.Context, f tailFlags) error {
	from, err := since(f.from, time.Now())
	if err != nil {
		return usageError(fmt.Errorf("--from: %w", err))
	}
	c, err := a.config()
	if err != nil {
		return err
	}
	e, err := engine.Open(ctx, c, slog.Default(), engine.ToLook)
	if err != nil {
		return err
	}
	defer closeEngine(ctx, e) //nolint:errcheck // nothing was written
	for m, err := range e.Read(ctx, from) {
		if err != nil {
			return err
		}
		if len(f.events) > 0 && !slices.Contains(f.events, m.Type) || f.conversation != "" && m.SessionID != f.conversation {
			continue
		}
		if err := a.show(f.format, messageLine(m), shownMessage(m)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// since returns the time that a flag names; the zero time stands for the oldest.
func since(text string, now time.Time) (time.Time, error) {
	switch text {
	case "now":
		return now, nil
	case "oldest":
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(text); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return now, fmt.Errorf("%q is none of now, oldest, an age such as 1h, or a time such as 2006-01-02T15:04:05Z", text)
}

// show writes one thing to stdout, in either form.
func (a *app) show(f format, line string, value any) error {
	if f == formatLine {
		_, err := fmt.Fprintln(a.Stdout, terminal.Line(line))
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Stdout, "%s\n", terminal.JSON(text))
	return err
}

// message is the JSON of a message.
type message struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Source    crisp.Source    `json:"source,omitempty"`
	WebsiteID string          `json:"website_id,omitempty"`
	SessionID string          `json:"session_id,omitempty"`
	Time      time.Time       `json:"time,omitzero"`
	Stub      string          `json:"stub,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
}

func shownMessage(m bridge.Message) message {
	shown := message{
		ID: m.ID, Type: m.Type, Source: m.Source, WebsiteID: m.WebsiteID, SessionID: m.SessionID, Time: m.Time, Stub: m.Stub,
	}
	if json.Valid(m.Data) {
		shown.Data = m.Data
	}
	return shown
}

// messageLine describes a message in one line.
func messageLine(m bridge.Message) string {
	parts := []string{m.Time.Local().Format("15:04:05.000"), fmt.Sprintf("%-24s", m.Type), fmt.Sprintf("%-8s", m.Source), cmp.Or(m.Key(), "-")}
	if said := excerpt(m); said != "" {
		parts = append(parts, said)
	}
	return strings.Join(parts, "  ")
}

// excerptLength is how much a line has of what people or programs wrote, in characters.
const excerptLength = 80

// excerpt is how that begins what a reader wants to know of a message.
func excerpt(m bridge.Message) string {
	if m.Stub != "" {
		return m.Stub
	}
	text := ""
	if ev, err := m.Event(); err != nil {
		text = string(m.Data) // of the bridge's own
	} else if said, ok := ev.(crisp.MessageEvent); ok && said.Text() != "" {
		text = said.Message().User.Nickname + ": " + said.Text()
	}
	if runes := []rune(text); len(runes) > excerptLength {
		return string(runes[:excerptLength]) + "…"
	}
	return text
}
