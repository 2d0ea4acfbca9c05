package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
)

// The process that receives: it stores what comes over the RTM API and by web hook. Of
// several, the one that has the lease has the connection; web hooks may reach any.
func ExamplePublish() {
	ctx := context.Background()
	engine := bridgetest.NewLog().Join() // in memory: a program has natsbridge, natsembed or kafkabridge

	client, err := crisp.NewFromEnv()
	if err != nil {
		fmt.Println(err)
		return
	}
	router := crisp.NewRouter()
	in := bridge.Publish(router, engine.Publisher())
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(os.Getenv("CRISP_SIGNING_SECRET")))
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("POST /crisp", hooks)

	err = crisp.Lead(ctx, engine.Lease("rtm"), 0, func(ctx context.Context) error {
		rtm, err := client.NewRTM(router,
			crisp.WithPosition(engine.Position("rtm")),
			crisp.WithBackfill(crisp.Backfill{}),
			crisp.WithDrainTimeout(5*time.Second),
			crisp.WithHooks(in.Hooks(ctx)))
		if err != nil {
			return err
		}
		return rtm.Run(ctx)
	})
	fmt.Println(err)
}

// The processes that handle: any number of them share the conversations.
func ExampleConsume() {
	log := bridgetest.NewLog() // in memory: a program has natsbridge, natsembed or kafkabridge
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		fmt.Printf("%s: %s\n", ev.SessionID, ev.Text())
		cancel() // one is enough here
		return nil
	})

	ev, err := crisp.Decode("message:send", []byte(`{"session_id":"session_1","type":"text","content":"Hello!","from":"user","fingerprint":1}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := log.Publisher().Publish(ctx, bridge.NewMessage(ev)); err != nil {
		fmt.Println(err)
		return
	}
	if err := bridge.Consume(ctx, log.Consumer("bot"), router); err != nil {
		fmt.Println(err)
	}
	// Output: session_1: Hello!
}

// What a program is told besides events.
func ExampleWithControl() {
	log := bridgetest.NewLog()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	in := bridge.Publish(crisp.NewRouter(), log.Publisher())
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	in.Hooks(ctx).Gap(crisp.Gap{From: at, To: at.Add(time.Minute), Reason: crisp.GapDisconnected}) // as an RTM client does

	told := bridge.WithControl(func(_ context.Context, c bridge.Control) error {
		switch c := c.(type) {
		case *bridge.Gap:
			fmt.Printf("%s may be missing: %s\n", c.To.Sub(c.From), c.Reason)
		case *bridge.Stub:
			fmt.Printf("%s was too large: %d bytes\n", c.Message.Type, c.Size)
		}
		cancel()
		return nil
	})
	if err := bridge.Consume(ctx, log.Consumer("bot"), crisp.NewRouter(), told); err != nil {
		fmt.Println(err)
	}
	// Output: 1m0s may be missing: disconnected
}

// A message that was buried can be handled again once its handlers can bear it.
func ExampleWithAttempts() {
	log := bridgetest.NewLog()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return fmt.Errorf("no database") })
	ev, err := crisp.Decode("message:send", []byte(`{"session_id":"session_1","fingerprint":1}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := log.Publisher().Publish(ctx, bridge.NewMessage(ev)); err != nil {
		fmt.Println(err)
		return
	}
	err = bridge.Consume(ctx, log.Consumer("bot"), router, bridge.WithAttempts(2),
		bridge.WithErrorHandler(func(_ context.Context, err error) { cancel() }))
	if err != nil {
		fmt.Println(err)
	}
	for _, letter := range log.DeadLetters("bot") {
		fmt.Printf("%s after %d attempts: %s\n", letter.Message.Type, letter.Attempts, letter.Error)
	}
	// Output: message:send after 2 attempts: crisp: a handler of message:send failed: no database
}

// A message whose handlers end the process, such as by taking all of its memory, comes
// again with each start, and the log knows of no attempt. Whoever has seen in the
// program's own log which one was begun and never ended has it buried by its ID.
func ExampleMessageOf() {
	aside := []string{"crash"} // in a program, from its configuration
	log := bridgetest.NewLog()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	router.Use(func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error {
			m, _ := bridge.MessageOf(ctx)
			if slices.Contains(aside, m.ID) {
				return errors.New("put aside, as it ends the process")
			}
			fmt.Println("begun:", m.ID)
			defer fmt.Println("ended:", m.ID)
			return next(ctx, ev)
		}
	})
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		if ev.Text() == "crash" {
			os.Exit(1)
		}
		cancel()
		return nil
	})
	for _, text := range []string{"crash", "hello"} {
		m := bridge.Message{ID: text, Type: "message:send", SessionID: "session_1", Data: []byte(`{"session_id":"session_1","type":"text","content":"` + text + `"}`)}
		if err := log.Publisher().Publish(ctx, m); err != nil {
			fmt.Println(err)
			return
		}
	}
	err := bridge.Consume(ctx, log.Consumer("bot"), router, bridge.WithAttempts(1), bridge.WithErrorHandler(func(context.Context, error) {}))
	if err != nil {
		fmt.Println(err)
	}
	for _, letter := range log.DeadLetters("bot") {
		fmt.Println("buried:", letter.Message.ID)
	}
	// Output:
	// begun: hello
	// ended: hello
	// buried: crash
}
