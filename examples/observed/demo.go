package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// demo has visitors of a Crisp on loopback write, lets some of it go wrong, and writes the resulting telemetry to out.
func demo(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()
	spans := tracetest.NewInMemoryExporter()
	t, err := newTelemetry(spans)
	if err != nil {
		return err
	}
	client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: crispotel.Transport(nil, t.options()...)}))
	defer client.CloseIdleConnections()
	p, err := newProgram(client, t, srv.SigningSecret())
	if err != nil {
		return err
	}
	d := &show{srv: srv, program: p, spans: spans, out: out}
	return errors.Join(d.run(ctx), t.shutdown(context.WithoutCancel(ctx)))
}

// show is the demonstration.
type show struct {
	srv     *crisptest.Server
	program *program
	spans   *tracetest.InMemoryExporter
	url     string // of metrics and health
	asked   uint64
	out     io.Writer
}

// run runs the program while it is shown.
func (d *show) run(ctx context.Context) error {
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, inside.Close())
	}
	d.url = "http://" + inside.Addr().String()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.program.run(running, inside, outside) }()
	err = d.play(ctx, "http://"+outside.Addr().String()+"/hooks/crisp")
	stop() // as Ctrl-C does
	return errors.Join(err, <-ended)
}

func (d *show) play(ctx context.Context, hooks string) error {
	if err := d.program.rtm.Ready(ctx); err != nil {
		return err
	}
	d.say("A visitor writes; the message comes over the RTM API, and is answered behind the log.")
	if err := d.ask(ctx, "Where is my order?"); err != nil {
		return err
	}
	d.say("\nThe same by a web hook. The RTM connection is lost meanwhile.")
	d.srv.TakeDown()
	if err := d.lost(ctx); err != nil {
		return err
	}
	hook := d.srv.AddPluginHook(hooks, "message:send")
	if err := d.ask(ctx, "Is anybody there?"); err != nil {
		return err
	}
	d.say("\nA message at which the bot fails, twice.")
	d.srv.Visitor().Say("Print my ticket")
	if err := d.buried(ctx); err != nil {
		return err
	}
	hook.Remove()
	d.srv.BringUp()
	if err := d.program.rtm.Ready(ctx); err != nil {
		return err
	}
	if err := d.traces(ctx); err != nil {
		return err
	}
	return d.metrics(ctx)
}

func (d *show) say(line string) { _, _ = fmt.Fprintln(d.out, line) }

// ask has a visitor say something, and waits until that is answered and done.
func (d *show) ask(ctx context.Context, text string) error {
	visitor := d.srv.Visitor()
	visitor.Say(text)
	answer, err := visitor.WaitAnswer(ctx)
	if err != nil {
		return err
	}
	d.say("The visitor is answered: " + answer.Text())
	d.asked++
	return until(ctx, func() bool { return d.program.counters.Handled.Load() == d.asked })
}

// lost waits until the program knows that it has lost its connection.
func (d *show) lost(ctx context.Context) error {
	return until(ctx, func() bool { return d.program.rtm.State() != crisp.StateConnected })
}

// buried waits until the program has given a message up, and has answered both web hooks.
func (d *show) buried(ctx context.Context) error {
	return until(ctx, func() bool {
		delivered := 0
		for _, delivery := range d.srv.Deliveries() {
			if delivery.Delivered() {
				delivered++
			}
		}
		return d.program.counters.Buried.Load() > 0 && delivered == 2
	})
}

// until polls until a condition holds: not everything that is shown has an event to wait for.
func until(ctx context.Context, so func() bool) error {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !so() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// traces writes the traces that began with a web hook or an event, each as a tree.
func (d *show) traces(ctx context.Context) error {
	err := until(ctx, func() bool {
		return d.program.telemetry.traces.ForceFlush(ctx) == nil && whole(d.spans.GetSpans())
	})
	if err != nil {
		return err
	}
	d.say("\nThe traces:")
	all := d.spans.GetSpans()
	slices.SortStableFunc(all, func(a, b tracetest.SpanStub) int { return cmp.Compare(a.StartTime.UnixNano(), b.StartTime.UnixNano()) })
	for _, span := range all {
		if !span.Parent.IsValid() && span.SpanKind != trace.SpanKindClient {
			d.tree(all, span, "  ")
		}
	}
	return nil
}

// whole reports whether no span is there whose parent has not ended.
func whole(all tracetest.SpanStubs) bool {
	ended := make(map[trace.SpanID]bool)
	for _, span := range all {
		ended[span.SpanContext.SpanID()] = true
	}
	return !slices.ContainsFunc(all, func(s tracetest.SpanStub) bool { return s.Parent.IsValid() && !ended[s.Parent.SpanID()] })
}

func (d *show) tree(all tracetest.SpanStubs, span tracetest.SpanStub, indent string) {
	line := indent + strings.ToLower(span.SpanKind.String()) + " " + span.Name
	if span.Status.Code == codes.Error {
		line += ": " + cmp.Or(span.Status.Description, "refused")
	}
	d.say(line)
	for _, child := range all {
		if child.Parent.SpanID() == span.SpanContext.SpanID() {
			d.tree(all, child, indent+"  ")
		}
	}
}

// shown are the beginnings of the lines of metrics that are shown.
var shown = []string{
	"crisp_rtm_connected{", "crisp_rtm_reconnects_total{", "crisp_rtm_gap_duration_seconds_count{", "crisp_bridge_messages_total{",
	"crisp_webhook_deliveries_total{", "messaging_client_sent_messages_total{",
}

// metrics writes some of what Prometheus would get, once the program has counted the gap.
func (d *show) metrics(ctx context.Context) error {
	var lines []string
	var failed error
	err := until(ctx, func() bool {
		lines, failed = d.scrape(ctx)
		return failed != nil || slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "crisp_rtm_gap_") })
	})
	if err := errors.Join(failed, err); err != nil {
		return err
	}
	d.say("\nSome of the metrics, as Prometheus gets them:")
	for _, line := range lines {
		d.say("  " + withoutScope(line))
	}
	return nil
}

// scrape gets the lines that are shown.
func (d *show) scrape(ctx context.Context) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	var found []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if slices.ContainsFunc(shown, func(prefix string) bool { return strings.HasPrefix(lines.Text(), prefix) }) {
			found = append(found, lines.Text())
		}
	}
	return found, lines.Err()
}

// withoutScope leaves out the labels that name the library, which are the same in each line.
func withoutScope(line string) string {
	name, rest, _ := strings.Cut(line, "{")
	labels, value, _ := strings.Cut(rest, "}")
	var kept []string
	for label := range strings.SplitSeq(labels, ",") {
		if !strings.HasPrefix(label, "otel_scope_") {
			kept = append(kept, label)
		}
	}
	if len(kept) == 0 {
		return name + value
	}
	return name + "{" + strings.Join(kept, ",") + "}" + value
}
