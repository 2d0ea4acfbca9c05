package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/inspect"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/serve"
	"github.com/crisp-go/crisp/cmd/crisp/internal/stream"
	"github.com/crisp-go/crisp/internal/secrets"
)

// outputFlags are the flags of listen and receive that say where events go and when
// to stop.
type outputFlags struct {
	targets     []string
	command     string
	attempts    int
	attemptsSet bool
	concurrency int
	timeout     time.Duration
	rtmOnly     bool
	capture     string
	redact      bool
	count       int
	duration    time.Duration
	readyFile   string
	ui          string
}

func (f *outputFlags) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.targets, "forward", "f", nil, "a `URL` to forward events to as web hooks, repeatable")
	flags.StringVar(&f.command, "exec", "", "a `command` to run for each event, which has the web hook's body on its stdin")
	flags.IntVar(&f.attempts, "attempts", 5, "how often to try to deliver an event")
	flags.IntVar(&f.concurrency, "concurrency", 16, "how many conversations to deliver side by side")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long a target may take to answer")
	flags.StringVar(&f.capture, "capture", "", "a `file` to keep what happens in, for crisp replay; appended to if it is there")
	flags.BoolVar(&f.redact, "redact", false, "replace what people wrote in the capture")
	flags.IntVar(&f.count, "count", 0, "end after so many events")
	flags.DurationVar(&f.duration, "for", 0, "end after this time, such as 30s or 10m")
	flags.StringVar(&f.readyFile, "ready-file", "", "a `file` that is there while events can come")
	addUI(flags, &f.ui)
}

// check returns what is wrong with the flags, as far as they show it alone.
func (f *outputFlags) check(flags *pflag.FlagSet) error {
	f.attemptsSet = flags.Changed("attempts")
	switch {
	case f.attempts < 1:
		return usageError(fmt.Errorf("--attempts is %d; it must be at least 1", f.attempts))
	case f.concurrency < 1:
		return usageError(fmt.Errorf("--concurrency is %d; it must be at least 1", f.concurrency))
	case f.timeout <= 0:
		return usageError(fmt.Errorf("--timeout is %s; it must be more than 0", f.timeout))
	case f.count < 0:
		return usageError(fmt.Errorf("--count is %d; it can't be negative", f.count))
	case f.duration < 0:
		return usageError(fmt.Errorf("--for is %s; it can't be negative", f.duration))
	case f.redact && f.capture == "":
		return usageError(errors.New("--redact is for captures: it needs --capture"))
	}
	return checkUI(flags, f.ui)
}

// signingFlags are the flags for how targets recognise authentic web hooks.
type signingFlags struct {
	secretFile string
	urlSecret  string
}

// readsStdin reports whether a secret comes from stdin.
func (f *signingFlags) readsStdin() bool {
	return f.secretFile == "-" || strings.HasSuffix(f.urlSecret, "=-")
}

// read returns what to sign with: the secrets that the flags name, or else the one of
// the environment or the profile.
func (f *signingFlags) read(a *app, secretFlag, urlFlag string) (signing forward.Signing, err error) {
	if f.urlSecret != "" {
		param, file, found := strings.Cut(f.urlSecret, "=")
		if !found || param == "" || file == "" {
			return signing, usageError(fmt.Errorf("--%s wants PARAM=FILE: the parameter of the URL, and the file that holds its value", urlFlag))
		}
		signing.URLParam = param
		if signing.URLSecret, err = secrets.Read(file, a.stdin()); err != nil {
			return signing, asUsageError(fmt.Errorf("--%s: %w", urlFlag, err))
		}
	}
	switch {
	case f.secretFile != "":
		if signing.Secret, err = secrets.Read(f.secretFile, a.stdin()); err != nil {
			return signing, asUsageError(fmt.Errorf("--%s: %w", secretFlag, err))
		}
	case f.urlSecret == "":
		if signing.Secret = a.signingSecret(); signing.Secret == "" {
			return signing, usageError(fmt.Errorf("there is no secret to sign with: set CRISP_SIGNING_SECRET or --%s to the one that the target knows (crisp secret makes one), or --%s for a target without signatures",
				secretFlag, urlFlag))
		}
	}
	return signing, nil
}

// signingSecret returns the signing secret of the environment, or else of the
// credentials; empty if neither has one.
func (a *app) signingSecret() string {
	if secret := a.Getenv("CRISP_SIGNING_SECRET"); secret != "" {
		return secret
	}
	found, _ := a.credentials() // forwarding may need no credentials
	return found.SigningSecret
}

// targetsOf makes the targets that the flags name. Without a signature they get one
// attempt by default, since Crisp does not repeat a website's web hooks either.
func (f *outputFlags) targetsOf(signing forward.Signing, transport http.RoundTripper, tell func(line string)) (targets []forward.Target, err error) {
	attempts := f.attempts
	if signing.Secret == "" && !f.attemptsSet {
		attempts = 1
	}
	for _, target := range f.targets {
		sender, err := forward.NewHTTP(target, signing, f.timeout, transport)
		if err != nil {
			return nil, usageError(fmt.Errorf("--forward: %w", err))
		}
		targets = append(targets, forward.Target{Sender: sender, Attempts: attempts})
	}
	if f.command != "" {
		sender := forward.NewCommand(f.command, os.Environ(), f.timeout, tell)
		targets = append(targets, forward.Target{Sender: sender, Attempts: 1}) // a failed command may have had its effect
	}
	return targets, nil
}

// run is what listen and receive share: where events go, and how to end.
type run struct {
	stream   *stream.Stream
	targets  []forward.Target
	ui       *inspect.Server
	close    func() error // closes the capture
	hangUp   func()       // closes the connections to the targets
	withdraw func()       // removes the ready file
	ctx      context.Context
	end      context.CancelCauseFunc
}

// The causes with which a run ends as the user asked.
var (
	errTimeOver = errors.New("the time is over")
	errEnough   = errors.New("as many events as were asked for have come")
)

// begin opens everything the flags name and starts the stream. await makes an event
// count as done only once each target has it; enough is called after --count events.
// The caller calls finish.
func (f *outputFlags) begin(ctx context.Context, a *app, command string, signing forward.Signing, await bool, enough func()) (*run, error) {
	printer, err := a.printer()
	if err != nil {
		return nil, err
	}
	r := &run{close: func() error { return nil }, withdraw: func() {}}
	transport := forward.NewTransport(f.concurrency)
	r.hangUp = transport.CloseIdleConnections
	r.targets, err = f.targetsOf(signing, transport, func(line string) { r.stream.Tell("%s", line) })
	if err != nil {
		return nil, err
	}
	if f.readyFile != "" {
		r.withdraw = func() { _ = os.Remove(f.readyFile) } // it may not be there
		r.withdraw()
	}
	cfg := stream.Config{
		Printer: printer,
		Tell:    a.tell,
		Note:    a.note,
		Targets: forward.Config{Targets: r.targets, Concurrency: f.concurrency},
		RTMOnly: f.rtmOnly,
		Await:   await,
		Count:   f.count,
		Enough:  enough,
		Failed:  func(err error) { r.end(err) },
	}
	page := inspect.Config{Command: command, Run: inspect.NewRun(), Capture: f.capture, Signing: signing}
	if f.ui != "" {
		page.Ring = inspect.NewRing(0)
		cfg.Watch = func(happened record.Record) { page.Ring.Add(inspect.FromRecord(page.Run, happened)) }
	}
	if f.capture != "" {
		if f.ui != "" {
			if err := fillRing(page.Ring, f.capture); err != nil {
				a.tell("--ui: what was captured before is not shown: %s", err)
			}
		}
		cfg.Capture, err = capture.Create(f.capture, capture.Options{Redact: f.redact, Now: time.Now(), Run: page.Run})
		if err != nil {
			return nil, err
		}
		r.close = cfg.Capture.Close
	}
	r.ctx, r.end = context.WithCancelCause(ctx)
	if f.duration > 0 {
		timer := time.AfterFunc(f.duration, func() { r.end(errTimeOver) })
		context.AfterFunc(r.ctx, func() { timer.Stop() })
	}
	r.stream = stream.New(cfg)
	if f.ui != "" {
		page.Targets = f.uiTargets(r.targets, signing, transport)
		page.Repeat, page.Waiting = r.stream.Repeat, r.stream.Waiting
		if r.ui, err = a.startUI(f.ui, page); err != nil {
			return nil, errors.Join(err, r.finish(nil))
		}
	}
	return r, nil
}

// finish waits for outstanding deliveries, closes everything, and returns the error to
// end with: why the run ended unless the user asked for it, else err, else what was lost.
func (r *run) finish(err error) error {
	cause := context.Cause(r.ctx)
	r.end(nil)
	r.withdraw()
	closed := r.stream.Close()
	if r.ui != nil {
		r.ui.Close() // after the stream, whose last deliveries it shows
	}
	closed = errors.Join(closed, r.close())
	r.hangUp()
	wasAsked := cause == nil || errors.Is(cause, context.Canceled) || errors.Is(cause, errTimeOver) || errors.Is(cause, errEnough)
	switch {
	case !wasAsked:
		return coded{cause, exitFailed}
	case err != nil:
		return err
	case closed != nil:
		return coded{closed, exitFailed}
	}
	return nil
}

// ready says that events can come: by a note to people, and by the ready file to programs.
func (r *run) ready(file, text, line string) {
	r.stream.Note("ready: %s%s", line, shownTargets(r.targets))
	if file == "" {
		return
	}
	if err := serve.WriteFile(file, []byte(text+"\n")); err != nil {
		r.end(fmt.Errorf("--ready-file: %w", err))
	}
}

// shownTargets returns the end of a sentence that says where events are forwarded to.
func shownTargets(targets []forward.Target) string {
	if len(targets) == 0 {
		return ""
	}
	var names []string
	for _, target := range targets {
		names = append(names, target.Name())
	}
	return ", forwarding to " + words(names)
}
