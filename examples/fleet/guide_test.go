package main

import (
	"context"
	"errors"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
)

// The code of docs/scaling.md, word for word, so that it is known to compile.
var _ = []any{scalingWorker, scalingEmbedded, scalingControl}

func scalingWorker(ctx context.Context, router *crisp.Router) error {
	conn, err := natsbridge.Connect("nats://127.0.0.1:4222") // engine.listen of the bridge, or NATS servers
	if err != nil {
		return err
	}
	defer conn.Close()
	engine, err := natsbridge.New(conn)
	if err != nil {
		return err
	}
	if err := engine.Setup(ctx); err != nil {
		return err
	}
	consumer, err := engine.Consumer("support-bot") // the group: its members share the work
	if err != nil {
		return err
	}
	return bridge.Consume(ctx, consumer, router)
}

func scalingEmbedded(ctx context.Context, client *crisp.Client, handlers *crisp.Router) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server, err := natsembed.Start(natsembed.Options{Dir: "/var/lib/mybot"})
	if err != nil {
		return err
	}
	defer server.Shutdown(context.WithoutCancel(ctx)) //nolint:errcheck // all that counts is on the disk
	conn, err := server.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	engine, err := natsbridge.New(conn)
	if err != nil {
		return err
	}
	if err := engine.Setup(ctx); err != nil {
		return err
	}
	consumer, err := engine.Consumer("support-bot")
	if err != nil {
		return err
	}

	router := crisp.NewRouter() // stores events; another one, handlers, handles them
	in := bridge.Publish(router, engine.Publisher())
	rtm, err := client.NewRTM(router,
		crisp.WithPosition(engine.Position("rtm")),
		crisp.WithBackfill(crisp.Backfill{}),
		crisp.WithDrainTimeout(5*time.Second), // to store what was received
		crisp.WithHooks(in.Hooks(ctx)))
	if err != nil {
		return err
	}
	consumed := make(chan error, 1)
	go func() {
		defer stop() // neither goes on without the other
		consumed <- bridge.Consume(ctx, consumer, handlers)
	}()
	err = rtm.Run(ctx)
	stop()
	return errors.Join(err, <-consumed) // the engine ends after all handlers
}

func scalingControl(ctx context.Context, consumer bridge.Consumer, router *crisp.Router, refresh func(context.Context, *bridge.Gap) error) error {
	return bridge.Consume(ctx, consumer, router, bridge.WithControl(func(ctx context.Context, c bridge.Control) error {
		if gap, ok := c.(*bridge.Gap); ok {
			return refresh(ctx, gap) // read over REST what messages don't tell
		}
		return nil
	}))
}
