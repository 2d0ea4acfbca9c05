package crisp_test

import (
	"context"
	"fmt"
	"time"

	"github.com/crisp-go/crisp"
)

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
	router.Use(crisp.LimitReplies(3))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("Beep"))
		return err
	})

	// Another bot, say, that takes this one for a visitor:
	for range 100 {
		dispatch(router, &crisp.MessageSend{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID, Content: crisp.TextContent("Boop")})
	}
	fmt.Println(len(visitor.Answers()), "answers")
	// Output: 3 answers
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
