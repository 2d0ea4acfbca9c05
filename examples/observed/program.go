package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/crispotel"
)

// logger writes JSON, for log collectors.
var logger = slog.New(slog.NewJSONHandler(os.Stderr, nil))

// drainTimeout is how long the program may take to finish what it has begun when it is asked
// to stop.
const drainTimeout = 10 * time.Second

// program is the bot with its telemetry.
//
//	RTM, web hooks ─▶ in ─▶ log ─▶ out ─▶ the answer
type program struct {
	telemetry *telemetry
	client    *crisp.Client
	log       *bridgetest.Log
	rtm       *crisp.RTM
	counters  *bridge.Counters
	out       *crisp.Router
	hooks     http.Handler // nil = there are none
}

// newProgram makes a program of a client whose HTTP client has the telemetry's transport. Without secrets, it takes no web
// hooks.
func newProgram(client *crisp.Client, t *telemetry, secrets ...string) (*program, error) {
	p := &program{telemetry: t, client: client, log: bridgetest.NewLog(), counters: new(bridge.Counters)}
	in := crisp.NewRouter(crisp.WithErrorHandler(logFailure))
	in.Use(crispotel.Middleware(t.options()...))
	bridge.Publish(in, crispotel.Publisher(p.log.Publisher(), t.options()...))
	p.out = crisp.NewRouter(crisp.WithErrorHandler(logFailure))
	p.out.Use(crispotel.Middleware(t.options()...), crisp.IgnoreOperators(), crisp.IgnoreAutomated())
	crisp.On(p.out, p.answer)

	var err error
	p.rtm, err = client.NewRTM(in, crisp.WithFilter(crisp.Filter{Events: []string{"message:send"}}),
		crisp.WithDrainTimeout(drainTimeout), crisp.WithHooks(crispotel.Hooks(crisp.Hooks{}, t.options()...)))
	if err != nil || len(secrets) == 0 {
		return p, err
	}
	hooks, err := crisp.NewWebhook(in, crisp.WithSigningSecrets(secrets...))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /hooks/crisp", crispotel.Webhook(hooks, t.options()...))
	p.hooks = mux
	return p, nil
}

func logFailure(ctx context.Context, err error) {
	logger.LogAttrs(ctx, slog.LevelError, "an event failed", slog.Any("error", err))
}

var errOutOfPaper = errors.New("the ticket printer is out of paper")

// answer is what the bot is for.
func (p *program) answer(ctx context.Context, ev *crisp.MessageSend) error {
	text, _ := ev.Content.(crisp.TextContent)
	if text == "Print my ticket" {
		return errOutOfPaper // for the example's sake
	}
	_, err := p.client.Reply(ctx, ev, crisp.TextContent("Thank you, we have got your message."))
	return err
}

// inside is what is for the operators of the program alone.
func (p *program) inside() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.telemetry.metrics)
	mux.Handle("/", crisp.HealthHandler(p.rtm))
	return mux
}

// observe adds the metrics that are read when somebody asks, until unregister is called.
func (p *program) observe() (unregister func() error, err error) {
	options := p.telemetry.options()
	rtm, err := crispotel.Observe(p.rtm, options...)
	if err != nil {
		return nil, err
	}
	rest, err := crispotel.ObserveREST(p.client, options...)
	if err != nil {
		return nil, err
	}
	log, err := crispotel.ObserveBridge(p.counters, options...)
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(rtm.Unregister(), rest.Unregister(), log.Unregister()) }, nil
}

// run answers visitors until ctx ends, and then finishes what has come in. Metrics and health are served inside, web
// hooks, if it takes any, outside.
func (p *program) run(ctx context.Context, inside, outside net.Listener) (err error) {
	unregister, err := p.observe()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unregister()) }()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	parts := []func(context.Context) error{
		func(ctx context.Context) error { return serve(ctx, inside, p.inside()) },
		p.rtm.Run,
		func(ctx context.Context) error {
			return bridge.Consume(ctx, p.log.Consumer("bot"), p.out, bridge.WithCounters(p.counters), bridge.WithAttempts(2))
		},
	}
	if p.hooks != nil {
		parts = append(parts, func(ctx context.Context) error { return serve(ctx, outside, p.hooks) })
	}
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() {
			err := part(ctx)
			if ctx.Err() != nil { // it was to end
				err = nil
			}
			stop(err) // one ends, all end
			ended <- err
		}()
	}
	for range parts {
		err = errors.Join(err, <-ended)
	}
	return err
}

// serve serves until ctx ends, and then finishes the requests in progress.
func serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("not everything was answered in time: %w", err), server.Close())
	}
	return nil
}
