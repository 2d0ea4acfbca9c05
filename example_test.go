package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// Receiving messages over the RTM API. The Crisp here is one on loopback; with
// the real one, the client is crisp.New(crisp.PluginToken(identifier, key)).
func Example() {
	srv, err := crisptest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	done := make(chan struct{})
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		fmt.Printf("%s: %s\n", ev.User.Nickname, ev.Content)
		close(done)
		return nil
	})

	rtm, err := srv.Client().NewRTM(router)
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(context.Background()) }()

	if err := srv.WaitAuthenticated(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	srv.EmitRaw("message:send", []byte(`{"type":"text","content":"Hello!","user":{"nickname":"Ada"}}`))
	<-done
	_ = rtm.Shutdown(context.Background())
	fmt.Println(errors.Is(<-ended, crisp.ErrClosed))
	// Output:
	// Ada: Hello!
	// true
}

// Handlers are tested without any Crisp: Dispatch runs them.
func ExampleRouter_Dispatch() {
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.SessionSetState) error {
		fmt.Println(ev.SessionID, "is", ev.State)
		return nil
	})
	err := router.Dispatch(context.Background(), &crisp.SessionSetState{
		SessionID: "session_1",
		State:     crisp.SessionStateResolved,
	})
	fmt.Println(err)
	// Output:
	// session_1 is resolved
	// <nil>
}

func ExampleOn() {
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		fmt.Println("visitor:", ev.Content)
		return nil
	})
	crisp.On(router, func(_ context.Context, ev *crisp.MessageReceived) error {
		fmt.Println("operator:", ev.Content)
		return nil
	})
	fmt.Println(router.EventNames())
	_ = router.Dispatch(context.Background(), &crisp.MessageReceived{Content: crisp.TextContent("Hi!")})
	// Output:
	// [message:received message:send]
	// operator: Hi!
}

// Events that no reference lists still have a name, which can be subscribed to.
func ExampleRouter_OnName() {
	router := crisp.NewRouter()
	router.OnName("session:set_colour", func(_ context.Context, ev crisp.Event) error {
		fmt.Println(ev.EventName(), string(ev.EventMeta().Raw))
		return nil
	})
	ev, _ := crisp.Decode("session:set_colour", []byte(`{"colour":"red"}`))
	_ = router.Dispatch(context.Background(), ev)
	// Output: session:set_colour {"colour":"red"}
}

// Middleware sees every event that has a handler.
func ExampleRouter_Use() {
	router := crisp.NewRouter()
	router.Use(func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error {
			err := next(ctx, ev)
			fmt.Println("handled", ev.EventName(), err)
			return err
		}
	})
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	_ = router.Dispatch(context.Background(), &crisp.MessageRemoved{})
	// Output: handled message:removed <nil>
}

// A client that never misses a message for long: gaps are told, filled over
// REST, and known of even after a restart.
func ExampleClient_NewRTM() {
	client, err := crisp.New(crisp.WebsiteToken("website_id", "identifier", "key"))
	if err != nil {
		fmt.Println(err)
		return
	}
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	rtm, err := client.NewRTM(router,
		crisp.WithConcurrency(16),
		crisp.WithPosition(crisp.FilePosition("/var/lib/mybot/position")),
		crisp.WithBackfill(crisp.Backfill{}),
		crisp.WithHooks(crisp.Hooks{
			Gap:        func(g crisp.Gap) { fmt.Println("missed since", g.From, "because", g.Reason) },
			Backfilled: func(b crisp.Backfilled) { fmt.Println("recovered", b.Messages, "messages") },
		}),
	)
	fmt.Println(rtm.State(), err)
	// Output: new <nil>
}

func ExampleExponentialBackoff() {
	policy := crisp.ExponentialBackoff{Base: time.Second, Max: 30 * time.Second}
	for attempt := 1; attempt <= 7; attempt++ {
		fmt.Print(policy.Window(attempt), " ")
	}
	// Output: 0s 1s 2s 4s 8s 16s 30s
}

// OnAny is for what concerns all events, such as counting them.
func ExampleRouter_OnAny() {
	router := crisp.NewRouter()
	counts := make(map[string]int)
	router.OnAny(func(_ context.Context, ev crisp.Event) error {
		counts[ev.EventName()]++
		return nil
	})
	for range 2 {
		_ = router.Dispatch(context.Background(), &crisp.MessageSend{})
	}
	fmt.Println(counts["message:send"], "messages;", len(router.EventNames()), "events are subscribed to")
	// Output: 2 messages; 82 events are subscribed to
}

// What handlers return, and what they panic with, comes to one place.
// What to ask for where the token is made, and what to tick where web hooks are set up.
func ExampleRouter_Scopes() {
	router := crisp.NewRouter()
	crisp.OnMessage(router, func(_ context.Context, ev crisp.MessageEvent) error {
		fmt.Println(ev.Message().From, "says", ev.Text())
		return nil
	})
	crisp.On(router, func(context.Context, *crisp.SessionSetState) error { return nil })
	crisp.On(router, func(context.Context, *crisp.SpamMessage) error { return nil })

	fmt.Println("scopes:", strings.Join(router.Scopes(), ", "))
	fmt.Println("events:", strings.Join(router.EventNames(), ", "))
	fmt.Println("web hooks:", strings.Join(router.HookNames(), ", "))
	dispatch(router, &crisp.MessageReceived{From: crisp.FromOperator, Content: crisp.TextContent("Hello")})
	// Output:
	// scopes: website:conversation:messages read, website:conversation:states read
	// events: message:received, message:send, session:set_state, spam:message
	// web hooks: message:received, message:send, session:set_state
	// operator says Hello
}

func ExampleWithErrorHandler() {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) {
		var failed *crisp.HandlerError
		if errors.As(err, &failed) {
			fmt.Println(failed.Event.EventName(), "panicked:", failed.Stack != nil)
		}
		fmt.Println(err)
	}))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		return errors.New("the database is away")
	})
	_ = router.Dispatch(context.Background(), &crisp.MessageSend{})
	// Output:
	// message:send panicked: false
	// crisp: a handler of message:send failed: the database is away
}

// On SIGTERM, a program stops receiving and lets its handlers finish.
func ExampleRTM_Shutdown() {
	srv, err := crisptest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	router := crisp.NewRouter()
	begun := make(chan struct{})
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		close(begun)
		fmt.Println("handled to the end")
		return nil
	})
	rtm, err := srv.Client().NewRTM(router)
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(context.Background()) }() // not the context that a signal ends
	if err := srv.WaitAuthenticated(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	srv.Emit(crisptest.Sample("message:send"))
	<-begun

	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(rtm.Shutdown(drain), <-ended)
	// Output:
	// handled to the end
	// <nil> crisp: RTM client closed
}

// What a session receives can change while it is live.
func ExampleRTM_Bind() {
	srv, err := crisptest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	router := crisp.NewRouter()
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	rtm, err := srv.Client().NewRTM(router)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = rtm.Run(ctx) }()
	if err := srv.WaitAuthenticated(ctx); err != nil {
		fmt.Println(err)
		return
	}

	err = rtm.Bind(ctx, crisp.Filter{Events: []string{"message:send"}, Rooms: []string{crisptest.WebsiteID}})
	if err != nil {
		fmt.Println(err)
		return
	}
	bound, err := srv.WaitSession(ctx, func(s crisptest.Session) bool { return len(s.Events) == 1 })
	fmt.Println(bound.Events, err)
	// Output: [message:send] <nil>
}

func ExampleDecode() {
	ev, err := crisp.Decode("session:set_state", []byte(`{
		"website_id": "f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038",
		"session_id": "session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97",
		"inbox_id": 5,
		"state": "resolved"
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	switch ev := ev.(type) {
	case *crisp.SessionSetState:
		fmt.Println(ev.SessionID, "is", ev.State)
	case *crisp.UnknownEvent:
		fmt.Println("something new:", ev.Name)
	}
	for _, problem := range ev.EventMeta().Problems {
		fmt.Println(problem)
	}
	// Output:
	// session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97 is resolved
	// inbox_id: wanted string, got number
}

func ExampleContent() {
	describe := func(content crisp.Content) string {
		switch c := content.(type) {
		case crisp.TextContent:
			return string(c)
		case crisp.NoteContent:
			return "note: " + string(c)
		case *crisp.FileContent:
			return "file " + c.Name
		case *crisp.AnimationContent:
			return "animation " + c.URL
		case *crisp.AudioContent:
			return fmt.Sprintf("%s of sound", c.Duration)
		case *crisp.PickerContent:
			return fmt.Sprintf("%s (%d choices)", c.Text, len(c.Choices))
		case *crisp.FieldContent:
			return c.Text + " " + c.Value
		case *crisp.CarouselContent:
			return fmt.Sprintf("%s (%d cards)", c.Text, len(c.Targets))
		case *crisp.EventContent:
			return "event " + c.Namespace
		case *crisp.UnknownContent:
			return "something of type " + c.Type
		default:
			return "nothing"
		}
	}
	for _, payload := range []string{
		`{"type":"text","content":"Hello"}`,
		`{"type":"audio","content":{"url":"https://example.com/note.ogg","type":"audio/ogg","duration":12.5}}`,
		`{"type":"hologram","content":[1,2,3]}`,
	} {
		ev, err := crisp.Decode("message:send", []byte(payload))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(describe(ev.(*crisp.MessageSend).Content))
	}
	// Output:
	// Hello
	// 12.5s of sound
	// something of type hologram
}

func ExampleEvents() {
	for _, info := range crisp.Events() {
		if info.RTMOnly {
			fmt.Println(info.Name, "is a", info.GoType)
		}
	}
	// Output:
	// spam:message is a SpamMessage
	// spam:decision is a SpamDecision
	// people:import:progress is a PeopleImportProgress
	// people:import:done is a PeopleImportDone
	// widget:action:processed is a WidgetActionProcessed
	// media:animation:listed is a MediaAnimationListed
}

// printing makes a router that prints the messages that reach its handlers.
func printing() *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		fmt.Println("visitor:", ev.Content)
		return nil
	})
	crisp.On(router, func(_ context.Context, ev *crisp.MessageReceived) error {
		fmt.Println("operator:", ev.Content)
		return nil
	})
	return router
}

// The events of the examples, as they would come over RTM or by web hook.
func fromVisitor(text string) *crisp.MessageSend {
	return &crisp.MessageSend{
		WebsiteID: "site-1", SessionID: "session_1", Type: crisp.MessageTypeText, From: crisp.FromUser, Content: crisp.TextContent(text),
	}
}

func fromOperator(text string) *crisp.MessageReceived {
	return &crisp.MessageReceived{
		WebsiteID: "site-1", SessionID: "session_1", Type: crisp.MessageTypeText, From: crisp.FromOperator, Content: crisp.TextContent(text),
	}
}

func dispatch(router *crisp.Router, events ...crisp.Event) {
	for _, ev := range events {
		_ = router.Dispatch(context.Background(), ev) // the router has told its error handler
	}
}

func ExampleIgnoreOperators() {
	router := printing()
	router.Use(crisp.IgnoreOperators())

	dispatch(router, fromVisitor("Hello"), fromOperator("Hi!"))
	// Output: visitor: Hello
}

func ExampleIgnoreAutomated() {
	router := printing()
	router.Use(crisp.IgnoreAutomated())

	welcome := fromOperator("Welcome! How can we help?")
	welcome.Automated = true
	dispatch(router, welcome, fromVisitor("Hello"), fromOperator("Hi!"))
	// Output:
	// visitor: Hello
	// operator: Hi!
}

func ExampleIgnoreSelf() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	router := printing()
	router.Use(crisp.IgnoreSelf(client))

	// What this client sends comes back as an event.
	fingerprint, err := client.SendMessage(context.Background(), visitor.Session(), crisp.Message{
		Content: crisp.TextContent("I am the bot"), NotAutomated: true,
	})
	if err != nil {
		fmt.Println(err)
	}
	echo := &crisp.MessageReceived{SessionID: visitor.SessionID, Fingerprint: fingerprint, Content: crisp.TextContent("I am the bot")}
	dispatch(router, echo, fromOperator("I am not"))
	// Output: operator: I am not
}

func ExamplePauseOnHuman() {
	_, client, stop := startCrisp()
	defer stop()
	router := printing()
	pauses := crisp.PauseOnHuman(router, client,
		crisp.ResumeAfter(30*time.Minute),
		crisp.ResumeOn(func(ev *crisp.SessionSetState) bool { return ev.State == crisp.SessionStateResolved }),
	)
	ref := fromVisitor("").Session()

	dispatch(router, fromVisitor("Hello"))
	dispatch(router, fromOperator("Hi, this is Ada."), fromVisitor("I have a question, Ada"))
	fmt.Println("paused:", pauses.Paused(ref))

	dispatch(router, &crisp.SessionSetState{WebsiteID: ref.WebsiteID, SessionID: ref.SessionID, State: crisp.SessionStateResolved})
	dispatch(router, fromVisitor("One more question"))
	// Output:
	// visitor: Hello
	// paused: true
	// visitor: One more question
}

func ExamplePauses_Pause() {
	_, client, stop := startCrisp()
	defer stop()
	router := crisp.NewRouter()
	pauses := crisp.PauseOnHuman(router, client)
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		if ev.Content == crisp.TextContent("I want to talk to a person") {
			pauses.Pause(ev.Session(), time.Now()) // the bot hands over by itself
		}
		fmt.Println("handled:", ev.Content)
		return nil
	})

	dispatch(router, fromVisitor("I want to talk to a person"), fromVisitor("Hello?"))
	// Output: handled: I want to talk to a person
}

func ExampleLimitReplies() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	router := crisp.NewRouter()
	kept := 0
	router.Use(crisp.LimitReplies(3, func(context.Context, *crisp.MessageSend) { kept++ }))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("Beep"))
		return err
	})

	// Another bot, say, that takes this one for a visitor:
	for range 100 {
		dispatch(router, &crisp.MessageSend{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID, Content: crisp.TextContent("Boop")})
	}
	fmt.Println(len(visitor.Answers()), "answers,", kept, "messages kept from the handler")
	// Output: 3 answers, 97 messages kept from the handler
}

func ExampleTyping() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	router := crisp.NewRouter()
	router.Use(crisp.Typing(client))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		fmt.Println("meanwhile:", visitor.Conversation().Composing)
		return nil
	})

	dispatch(router, &crisp.MessageSend{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID})
	fmt.Println("afterwards:", visitor.Conversation().Composing)
	// Output:
	// meanwhile: [operator]
	// afterwards: []
}
