package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/replay"
)

// replayFlags are the flags of crisp replay.
type replayFlags struct {
	signingFlags
	destination
	speed       string
	from, until string
	jq          string
	set, unset  []string
	keepTime    bool
	failFast    bool
	rtmOnly     bool
	attempts    int
	concurrency int
	timeout     time.Duration
}

func (a *app) replayCommand() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Send the events of a capture again",
		Long: `Send the events that crisp listen --capture or crisp receive --capture has kept, again:
as web hooks to a program in development, or by a crisp serve. - is stdin.

A conversation's events come in the order in which they are in the capture, several
conversations side by side (--concurrency 1: all in one order). The bodies are the same,
byte for byte, and are signed anew, with the present time unless --keep-time is given.
Events that Crisp sends by no web hook are left out unless --rtm-only is given.

--set and --unset change payloads, as with crisp trigger. --jq chooses events: those for
which the expression is true. It sees what crisp listen --format json writes.

The program ends with 1 if an event was not accepted, and with 4 if none was answered.`,
		Example: `  crisp replay today.jsonl --to http://127.0.0.1:8080/hooks
  crisp replay today.jsonl --to URL --speed max --fail-fast
  crisp replay today.jsonl --to URL --jq '.event == "message:send" and .data.from == "user"'
  crisp replay today.jsonl --to URL --from 10m --until 2026-03-15T11:00:00Z
  crisp replay today.jsonl --server http://127.0.0.1:7700 --speed 10x`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.replay(cmd, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "the `URL` to send to")
	flags.StringVar(&f.server, "server", "", "the `URL` of a crisp serve that sends them, by RTM and its web hooks")
	flags.StringVar(&f.speed, "speed", "1x", "how fast: 1x as they came, 10x, or max")
	flags.StringVar(&f.from, "from", "", "the `time` to begin at: RFC 3339, or a distance from the first event such as 10m")
	flags.StringVar(&f.until, "until", "", "the `time` to end before, likewise")
	flags.StringVar(&f.jq, "jq", "", "send only events for which a jq `expression` is true")
	flags.StringArrayVar(&f.set, "set", nil, "change a value of the payloads: PATH=JSON or PATH=text, repeatable")
	flags.StringArrayVar(&f.unset, "unset", nil, "remove the value at a `PATH`, repeatable")
	flags.BoolVar(&f.keepTime, "keep-time", false, "sign with the time at which the event came")
	flags.BoolVar(&f.failFast, "fail-fast", false, "end at the first event that is not accepted")
	flags.BoolVar(&f.rtmOnly, "rtm-only", false, "send also the events that Crisp sends by no web hook")
	flags.IntVar(&f.attempts, "attempts", 1, "how often to try to deliver an event")
	flags.IntVar(&f.concurrency, "concurrency", 16, "how many conversations to deliver side by side")
	flags.StringVar(&f.secretFile, "secret-file", "", "the `file` that holds the secret to sign with")
	flags.StringVar(&f.urlSecret, "url-secret", "", "add a secret to the URL: PARAM=FILE")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long the target may take to answer")
	return cmd
}

func (a *app) replay(cmd *cobra.Command, path string, f replayFlags) error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	if err := f.check(cmd, path); err != nil {
		return err
	}
	cfg, err := f.config()
	if err != nil {
		return usageError(err)
	}
	cfg.Note = func(text string) { a.tell("%s", text) }
	file, err := a.open(path)
	if err != nil {
		return usageError(err)
	}
	defer file.Close() //nolint:errcheck // it is only read
	reader, err := capture.NewReader(file)
	if err != nil {
		return coded{fmt.Errorf("%s: %w", path, err), exitFailed}
	}
	began := time.Now()
	var counts replay.Counts
	if f.server != "" {
		counts, err = f.emit(cmd.Context(), printer, reader, cfg)
	} else {
		counts, err = f.deliver(cmd.Context(), a, printer, reader, cfg)
	}
	if counts.RTMOnly > 0 {
		a.note("left out %s that Crisp sends by no web hook: --rtm-only sends such, too", output.Count(counts.RTMOnly, "event"))
	}
	if counts.Sent > 0 || err == nil {
		a.note("sent %s in %s", output.Count(counts.Sent, "event"), time.Since(began).Round(time.Millisecond))
	}
	return err
}

// open opens a file for reading; - is stdin.
func (a *app) open(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(a.stdin()), nil
	}
	return os.Open(path)
}

func (f *replayFlags) check(cmd *cobra.Command, path string) error {
	if err := f.destination.check(false); err != nil {
		return err
	}
	if f.server != "" {
		for _, flag := range []string{"keep-time", "attempts", "concurrency", "secret-file", "url-secret", "timeout"} {
			if cmd.Flags().Changed(flag) {
				return usageError(fmt.Errorf("--%s is for --to: a crisp serve signs and delivers by itself", flag))
			}
		}
	}
	switch {
	case path == "-" && f.readsStdin():
		return usageError(errors.New("the capture and the secret can't both be stdin"))
	case f.attempts < 1:
		return usageError(fmt.Errorf("--attempts is %d; it must be at least 1", f.attempts))
	case f.concurrency < 1:
		return usageError(fmt.Errorf("--concurrency is %d; it must be at least 1", f.concurrency))
	case f.timeout <= 0:
		return usageError(fmt.Errorf("--timeout is %s; it must be more than 0", f.timeout))
	}
	return nil
}

func (f *replayFlags) config() (cfg replay.Config, err error) {
	cfg.RTMOnly = f.rtmOnly || f.server != "" // a server sends them by RTM
	if cfg.Speed, err = replay.ParseSpeed(f.speed); err != nil {
		return cfg, fmt.Errorf("--speed: %w", err)
	}
	if cfg.From, err = replay.ParseMoment(f.from); err != nil {
		return cfg, fmt.Errorf("--from: %w", err)
	}
	if cfg.Until, err = replay.ParseMoment(f.until); err != nil {
		return cfg, fmt.Errorf("--until: %w", err)
	}
	if f.jq != "" {
		if cfg.Select, err = replay.NewSelection(f.jq); err != nil {
			return cfg, fmt.Errorf("--jq: %w", err)
		}
	}
	cfg.Edits, err = jsontext.ParseEdits(f.set, f.unset)
	return cfg, err
}

func (f *replayFlags) emit(ctx context.Context, printer *output.Printer, reader *capture.Reader, cfg replay.Config) (replay.Counts, error) {
	server, err := control.NewClient(f.server)
	if err != nil {
		return replay.Counts{}, usageError(fmt.Errorf("--server: %w", err))
	}
	refused := 0
	cfg.Send = func(ctx context.Context, _ uint64, _ time.Time, ev *record.Event) error {
		err := server.Emit(ctx, ev.Name(), ev.Event.EventMeta().Raw)
		var answer *control.Error
		if errors.As(err, &answer) && !f.failFast {
			refused++
			cfg.Note(err.Error())
			return nil
		}
		if err != nil {
			return err
		}
		return printSent(printer, ev.Name(), f.server)
	}
	counts, err := replay.Run(ctx, reader, cfg)
	if err == nil && refused > 0 {
		err = coded{fmt.Errorf("sent %s, of which %d not accepted", output.Count(counts.Sent, "event"), refused), exitFailed}
	}
	return counts, unlessDone(err)
}

// errFailedFast ends a replay with --fail-fast when an event was not accepted.
var errFailedFast = errors.New("an event was not accepted")

// settling is how long deliveries under way may still take after the user ends a replay.
const settling = 10 * time.Second

func (f *replayFlags) deliver(ctx context.Context, a *app, printer *output.Printer, reader *capture.Reader, cfg replay.Config) (counts replay.Counts, err error) {
	signing, err := f.read(a, "secret-file", "url-secret")
	if err != nil {
		return counts, err
	}
	transport := forward.NewTransport(f.concurrency)
	defer transport.CloseIdleConnections()
	sender, err := forward.NewHTTP(f.to, signing, f.timeout, transport)
	if err != nil {
		return counts, usageError(fmt.Errorf("--to: %w", err))
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	shown := replayShow{printer: printer, failFast: f.failFast, end: end}
	forwarder := forward.New(forward.Config{
		Targets:     []forward.Target{{Sender: sender, Attempts: f.attempts}},
		Concurrency: f.concurrency,
		Report:      shown.report,
	})
	cfg.Send = func(ctx context.Context, n uint64, came time.Time, ev *record.Event) error {
		job := forward.Job{N: n, Event: ev}
		if f.keepTime {
			job.SignedAt = came
		}
		done, err := forwarder.Put(ctx, job)
		if err != nil || f.concurrency > 1 {
			return err
		}
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	counts, err = replay.Run(ctx, reader, cfg)
	return counts, settle(ctx, forwarder, &shown, err)
}

// settle waits for deliveries under way, and returns the error to end with.
func settle(ctx context.Context, forwarder *forward.Forwarder, shown *replayShow, err error) error {
	patience, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		if shown.failure() == nil { // the user ended it; nothing is wrong
			time.AfterFunc(settling, cancel)
		} else {
			cancel()
		}
	})
	defer stop()
	left := forwarder.Close(patience).Left
	failure := shown.failure()
	switch {
	case errors.Is(failure, errFailedFast) && shown.outcomes.Unreachable() != nil:
		return outcomeError(shown.outcomes)
	case failure != nil:
		return coded{failure, exitFailed}
	case err != nil && ctx.Err() == nil:
		return coded{err, exitFailed}
	case left > 0:
		return coded{fmt.Errorf("%d deliveries were not made", left), exitFailed}
	case err != nil: // the user ended it before all was sent
		return coded{errEnded, exitFailed}
	}
	return outcomeError(shown.outcomes)
}

// replayShow prints deliveries and ends the replay when one has to.
type replayShow struct {
	printer  *output.Printer
	failFast bool
	end      context.CancelCauseFunc

	mu       sync.Mutex       // guards the fields below and the order of what is printed
	n        uint64           // deliveries printed
	outcomes forward.Outcomes // of each event's last attempt
	failed   error            // why the replay has to end
}

// failure returns why the replay has to end; nil if nothing is wrong.
func (s *replayShow) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *replayShow) report(d record.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if d.Outcome != record.Refused {
		s.outcomes.Add(d)
	}
	err := s.printer.Print(record.Record{N: s.n, At: time.Now(), What: &d}.Item())
	if err == nil && s.failFast && d.Outcome == record.GivenUp {
		err = errFailedFast
	}
	if err != nil && s.failed == nil {
		s.failed = err
		s.end(err)
	}
}
