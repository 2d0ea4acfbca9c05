package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/trigger"
	"github.com/crisp-go/crisp/internal/terminal"
)

// triggerFlags are the flags of crisp trigger.
type triggerFlags struct {
	signingFlags
	destination
	set, unset []string
	data       string
	count      int
	attempt    string
	at         string
	print      bool
	delivery   trigger.Delivery
	timeout    time.Duration
}

// destination says where trigger and replay send events.
type destination struct{ to, server string }

func (a *app) triggerCommand() *cobra.Command {
	var f triggerFlags
	cmd := &cobra.Command{
		Use:   "trigger [EVENT]",
		Short: "Send an event that nothing has caused: a sample, changed or not, or any body",
		Long: `Send an event that nothing has caused to a program in development, as a web hook
signed with the secret in CRISP_SIGNING_SECRET or --secret-file, or have a crisp serve send it.

Without --data it is the sample of the event, of the present time and of the website in
CRISP_WEBSITE_ID. With --data it is what a file holds, byte for byte: the event's
payload or its whole body; without EVENT, a body, which may be anything.

--set and --unset change the payload (without EVENT, the body) and leave all other bytes
as they are. The path leads through members and elements: user.nickname, content.choices.0.
The value is JSON, or else text that stands for itself.

The program ends with 1 if a delivery was refused, also if it was meant to be, and with 4
if none was answered.`,
		Example: `  crisp trigger message:send --to http://127.0.0.1:8080/hooks
  crisp trigger message:send --set content='Where is my order?' --set user.nickname=Ada --to URL
  crisp trigger session:set_data --set 'data={"plan":"gold"}' --count 100 --rate 10 --to URL
  crisp trigger message:send --bad-signature --to URL     # must be refused, as with --stale
  crisp trigger message:send --duplicate --to URL         # must have its effect once
  crisp trigger message:send --server http://127.0.0.1:7700
  crisp trigger --data body.json --to URL
  crisp trigger message:send --print --format raw > body.json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeEventNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.trigger(cmd, strings.Join(args, ""), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "the `URL` to send to")
	flags.StringVar(&f.server, "server", "", "the `URL` of a crisp serve that sends it, by RTM and its web hooks")
	flags.BoolVar(&f.print, "print", false, "write what would be sent to stdout, and send nothing")
	flags.StringVar(&f.data, "data", "", "a `file` with the payload, or the whole body; - is stdin")
	flags.StringArrayVar(&f.set, "set", nil, "change a value: PATH=JSON or PATH=text, repeatable")
	flags.StringArrayVar(&f.unset, "unset", nil, "remove the value at a `PATH`, repeatable")
	flags.IntVar(&f.count, "count", 1, "how many events to send")
	flags.Float64Var(&f.delivery.Rate, "rate", 0, "how many to send a second; without, one when the one before was answered")
	flags.StringVar(&f.at, "at", "", "the `time` of the event: RFC 3339, or a distance from now such as -10m")
	flags.StringVar(&f.attempt, "attempt", "1/5", "which attempt of how many it says to be")
	flags.BoolVar(&f.delivery.BadSignature, "bad-signature", false, "sign with a wrong secret")
	flags.BoolVar(&f.delivery.Stale, "stale", false, "sign as of an hour ago")
	flags.BoolVar(&f.delivery.Duplicate, "duplicate", false, "send each event twice")
	flags.StringVar(&f.secretFile, "secret-file", "", "the `file` that holds the secret to sign with")
	flags.StringVar(&f.urlSecret, "url-secret", "", "add a secret to the URL: PARAM=FILE")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long the target may take to answer")
	return cmd
}

func (a *app) trigger(cmd *cobra.Command, name string, f triggerFlags) error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	if err := f.check(cmd, name); err != nil {
		return err
	}
	event, err := f.event(a, name)
	if err != nil {
		return err
	}
	first, err := event.Make(0) // if this one can be made, so can the others
	if err != nil {
		return usageError(err)
	}
	a.noteMissing(first.Missing)
	switch {
	case f.print:
		return unlessDone(f.show(cmd.Context(), a, printer, event))
	case f.server != "":
		return unlessDone(f.emit(cmd.Context(), printer, event))
	default:
		return unlessDone(f.deliver(cmd.Context(), a, printer, event))
	}
}

func (f *triggerFlags) check(cmd *cobra.Command, name string) error {
	if name == "" && f.data == "" {
		return usageError(errors.New("say which event (crisp events list has them all), or give a whole body with --data"))
	}
	if err := f.destination.check(f.print); err != nil {
		return err
	}
	if f.server != "" {
		for _, flag := range []string{"at", "attempt", "bad-signature", "stale", "duplicate", "secret-file", "url-secret", "timeout"} {
			if cmd.Flags().Changed(flag) {
				return usageError(fmt.Errorf("--%s is for --to: a crisp serve signs and delivers by itself", flag))
			}
		}
	}
	switch {
	case f.data == "-" && f.readsStdin():
		return usageError(errors.New("--data and the secret can't both be stdin"))
	case f.count < 1:
		return usageError(fmt.Errorf("--count is %d; it must be at least 1", f.count))
	case !(f.delivery.Rate >= 0) || cmd.Flags().Changed("rate") && f.delivery.Rate == 0: // also refuses NaN
		return usageError(fmt.Errorf("--rate is %g; it must be more than 0", f.delivery.Rate))
	case f.timeout <= 0:
		return usageError(fmt.Errorf("--timeout is %s; it must be more than 0", f.timeout))
	}
	number, limit, found := strings.Cut(f.attempt, "/")
	var errs [2]error
	f.delivery.Attempt, errs[0] = strconv.Atoi(number)
	f.delivery.Limit, errs[1] = strconv.Atoi(limit)
	if !found || errs[0] != nil || errs[1] != nil || f.delivery.Attempt < 1 || f.delivery.Limit < f.delivery.Attempt {
		return usageError(fmt.Errorf("--attempt is %q; it must be such as 2/5", f.attempt))
	}
	return nil
}

// check returns what is wrong with the destination. isNoneNeeded says that nothing will
// be sent.
func (d destination) check(isNoneNeeded bool) error {
	switch {
	case d.to != "" && d.server != "":
		return usageError(errors.New("--to and --server: use one of them"))
	case isNoneNeeded && d.server != "":
		return usageError(errors.New("--print shows what --to would send: a crisp serve signs and delivers by itself"))
	case !isNoneNeeded && d == destination{}:
		return usageError(errors.New("say where to send to: --to URL, or --server URL of a crisp serve"))
	}
	return nil
}

func (f *triggerFlags) event(a *app, name string) (event trigger.Event, err error) {
	now := time.Now()
	event = trigger.Event{Name: name, WebsiteID: a.Getenv("CRISP_WEBSITE_ID"), At: now}
	if f.at != "" {
		if event.At, err = trigger.ParseTime(f.at, now); err != nil {
			return event, usageError(fmt.Errorf("--at: %w", err))
		}
	}
	if event.Edits, err = jsontext.ParseEdits(f.set, f.unset); err != nil {
		return event, usageError(err)
	}
	if f.data != "" {
		if event.Data, err = a.readFile(f.data); err != nil {
			return event, asUsageError(fmt.Errorf("--data: %w", err))
		}
		if name != "" {
			event.Data = bytes.TrimSpace(event.Data)
		}
	}
	return event, nil
}

// readFile returns a file's content; - is stdin.
func (a *app) readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(a.stdin())
	}
	return os.ReadFile(path)
}

// noteMissing warns of paths of edits that did not exist, since they may be misspelt.
func (a *app) noteMissing(paths []jsontext.Path) {
	for _, path := range paths {
		a.note("there was no %s before", path)
	}
}

// request is a web hook that is shown instead of sent.
type request struct {
	Event   string            `json:"event,omitempty"`
	URL     string            `json:"url,omitempty"` // without secrets
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// show prints the request that would be sent. Without a secret it has no signature.
func (f *triggerFlags) show(ctx context.Context, a *app, printer *output.Printer, event trigger.Event) error {
	var signing forward.Signing
	if f.secretFile != "" || f.urlSecret != "" || a.Getenv("CRISP_SIGNING_SECRET") != "" {
		var err error
		if signing, err = f.read(a, "secret-file", "url-secret"); err != nil {
			return err
		}
	}
	sender, err := forward.NewHTTP(cmp.Or(f.to, "http://127.0.0.1/"), f.delivery.Signing(signing), f.timeout, http.DefaultTransport)
	if err != nil {
		return usageError(fmt.Errorf("--to: %w", err))
	}
	return f.delivery.Pace(ctx, f.count, func(index int) error {
		made, err := event.Make(index)
		if err != nil {
			return err
		}
		for _, attempt := range f.delivery.Attempts(made, time.Now()) {
			shown := request{Event: made.Name, Headers: map[string]string{}, Body: string(made.Body)}
			if f.to != "" {
				shown.URL = sender.Name()
			}
			for name, values := range sender.Header(attempt) {
				shown.Headers[name] = values[0]
			}
			err := printer.Print(output.Item{
				Line:  func(output.Style) string { return shownBody(made.Body) },
				Value: shown,
				Raw:   made.Body,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// shownBody returns a body as one line that is safe to show.
func shownBody(body []byte) string { return terminal.Line(string(terminal.JSON(body))) }

func (f *triggerFlags) deliver(ctx context.Context, a *app, printer *output.Printer, event trigger.Event) error {
	signing, err := f.read(a, "secret-file", "url-secret")
	if err != nil {
		return err
	}
	transport := forward.NewTransport(1)
	defer transport.CloseIdleConnections()
	sender, err := forward.NewHTTP(f.to, f.delivery.Signing(signing), f.timeout, transport)
	if err != nil {
		return usageError(fmt.Errorf("--to: %w", err))
	}
	var outcomes forward.Outcomes
	n := uint64(0)
	err = f.delivery.Pace(ctx, f.count, func(index int) error {
		made, err := event.Make(index)
		if err != nil {
			return err
		}
		for _, attempt := range f.delivery.Attempts(made, time.Now()) {
			answer := sender.Send(ctx, attempt)
			if ctx.Err() != nil && !answer.Accepted {
				return ctx.Err()
			}
			n++
			delivery := answer.Record(sender.Name(), made.Name, attempt.Number, attempt.Limit)
			outcomes.Add(delivery)
			if err := printer.Print(record.Record{N: n, At: time.Now(), What: &delivery}.Item()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return outcomeError(outcomes)
}

// outcomeError returns the error and exit code for the outcomes of deliveries.
func outcomeError(o forward.Outcomes) error {
	all := o.Accepted + o.Refused + o.Unreached
	switch {
	case o.Accepted == all:
		return nil
	case o.Unreachable() != nil:
		return coded{fmt.Errorf("the target can't be reached: %w", o.Unreachable()), exitUnreachable}
	default:
		return coded{fmt.Errorf("%d of %d not accepted", all-o.Accepted, all), exitFailed}
	}
}

// sent is an event that a crisp serve was made to send.
type sent struct {
	Kind   string `json:"kind"` // "sent"
	Event  string `json:"event"`
	Server string `json:"server"`
}

// printSent writes that a crisp serve has sent an event.
func printSent(printer *output.Printer, name, server string) error {
	if u, err := url.Parse(server); err == nil {
		server = u.Scheme + "://" + u.Host // without secrets
	}
	return printer.Print(output.Item{
		Line: func(style output.Style) string {
			return style.Good("sent") + " " + terminal.Line(name) + " by " + terminal.Line(server)
		},
		Value: sent{"sent", name, server},
	})
}

func (f *triggerFlags) emit(ctx context.Context, printer *output.Printer, event trigger.Event) error {
	server, err := control.NewClient(f.server)
	if err != nil {
		return usageError(fmt.Errorf("--server: %w", err))
	}
	return f.delivery.Pace(ctx, f.count, func(index int) error {
		made, err := event.Make(index)
		if err != nil {
			return err
		}
		if made.Name == "" || made.Payload == nil {
			return usageError(errors.New("--data: a crisp serve sends events, but the body has no event, or no data"))
		}
		if err := server.Emit(ctx, made.Name, made.Payload); err != nil {
			return err
		}
		return printSent(printer, made.Name, f.server)
	})
}
