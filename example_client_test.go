package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// startCrisp starts a Crisp on loopback, where examples can do what they like.
func startCrisp(opts ...crisptest.Option) (*crisptest.Server, *crisp.Client, func()) {
	srv, err := crisptest.Start(opts...)
	if err != nil {
		panic(err)
	}
	client := srv.Client()
	return srv, client, func() {
		client.CloseIdleConnections()
		srv.Close()
	}
}

func ExampleNew() {
	client, err := crisp.New(
		crisp.PluginToken(os.Getenv("CRISP_IDENTIFIER"), os.Getenv("CRISP_KEY")),
		crisp.WithUserAgent("mybot/1.0"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = client // its methods call the REST API and open RTM sessions
	// Output: crisp: the token has no identifier
}

func ExampleClient_Do() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":true,"reason":"not_allowed","data":{}}`)
			return
		}
		_, _ = io.WriteString(w, `{"error":false,"reason":"dispatched","data":{"fingerprint":163408807910334}}`)
	}))
	defer api.Close()

	client, err := crisp.New(crisp.PluginToken("identifier", "key"), crisp.WithBaseURL(api.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	message := map[string]any{"type": "text", "from": "operator", "origin": "chat", "content": "Hello"}
	var sent struct {
		Fingerprint int64 `json:"fingerprint"`
	}
	ctx := context.Background()
	if err := client.Do(ctx, http.MethodPost, "website/site-1/conversation/session_1/message", message, &sent); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent with fingerprint", sent.Fingerprint)

	err = client.Do(ctx, http.MethodDelete, "website/site-1/conversation/session_1", nil, nil)
	var refused *crisp.APIError
	if errors.As(err, &refused) {
		fmt.Println(refused.StatusCode, refused.Reason)
	}
	// Output:
	// sent with fingerprint 163408807910334
	// 403 not_allowed
}

func ExampleClient_Reply() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()

	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, &crisp.PickerContent{
			ID:   "topic",
			Text: "What is it about?",
			Choices: []crisp.PickerChoice{
				{Value: "order", Label: "An order"},
				{Value: "other", Label: "Something else"},
			},
		}, crisp.WithUser(crisp.User{Nickname: "Robby"}))
		return err
	})

	// An event as it would come over RTM or by web hook:
	ev := &crisp.MessageSend{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	if err := router.Dispatch(context.Background(), ev); err != nil {
		fmt.Println(err)
	}
	for _, m := range visitor.Answers() {
		fmt.Println(m.Type, m.From, m.Automated)
	}
	// Output: picker operator true
}

func ExampleClient_SendMessage() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	ctx := context.Background()

	_, err := client.SendMessage(ctx, visitor.Session(), crisp.Message{
		Content:  crisp.NoteContent("Order 1234 is late: call the carrier."),
		Mentions: []string{"operator-1"},
	})
	if err != nil {
		fmt.Println(err)
	}

	_, err = client.SendMessage(ctx, visitor.Session(), crisp.Message{
		Content: &crisp.CarouselContent{Text: "Have a look:"},
	})
	var invalid *crisp.InvalidError
	if errors.As(err, &invalid) {
		fmt.Println(invalid.Field, "→", invalid.Reason)
	}
	// Output: content.targets → none: a carousel needs at least one
}

func ExampleClient_UpdateMessage() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	fingerprint, err := client.SendMessage(ctx, ref, crisp.Message{Content: crisp.TextContent("One momnet")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.UpdateMessage(ctx, ref, fingerprint, crisp.TextContent("One moment")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(visitor.Answers()[0].Text())
	// Output: One moment
}

func ExampleClient_RemoveMessage() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	fingerprint, err := client.SendMessage(ctx, ref, crisp.Message{Content: crisp.TextContent("Oops")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.RemoveMessage(ctx, ref, fingerprint); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(visitor.Answers()), "answers")
	// Output: 0 answers
}

func ExampleClient_Compose() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	for _, state := range []crisp.ComposeState{crisp.ComposeStateStart, crisp.ComposeStateStop} {
		if err := client.Compose(ctx, ref, crisp.Composing{State: state}); err != nil {
			fmt.Println(err)
		}
		fmt.Println(state, "→", visitor.Conversation().Composing)
	}
	// Output:
	// start → [operator]
	// stop → []
}

func ExampleClient_MarkRead() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	first := visitor.Say("Hello?")
	visitor.Say("Anybody there?")

	for _, marking := range []crisp.Marking{
		{Fingerprints: []int64{first.Fingerprint}},
		{}, // all of the visitor's
	} {
		if err := client.MarkRead(ctx, ref, marking); err != nil {
			fmt.Println(err)
		}
		fmt.Println(visitor.Conversation().Unread.Operator, "unread")
	}
	// Output:
	// 1 unread
	// 0 unread
}

func ExampleClient_MarkDelivered() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	m := visitor.Say("Hello?")

	if err := client.MarkDelivered(ctx, ref, crisp.Marking{Fingerprints: []int64{m.Fingerprint}}); err != nil {
		fmt.Println(err)
	}
	fmt.Println("delivered through", visitor.Conversation().Messages[0].Delivered)
	// Output: delivered through chat
}

func ExampleClient_MarkUnread() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	visitor.Say("Hello?")

	if err := client.MarkRead(ctx, ref, crisp.Marking{}); err != nil {
		fmt.Println(err)
	}
	if err := client.MarkUnread(ctx, ref, crisp.FromUser); err != nil {
		fmt.Println(err)
	}
	fmt.Println(visitor.Conversation().Unread.Operator, "unread")
	// Output: 1 unread
}

func ExampleClient_SetState() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	if err := client.SetState(ctx, ref, crisp.StateChange{State: crisp.SessionStateResolved}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(visitor.Conversation().State)
	// Output: resolved
}

func ExampleClient_Assign() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	for _, assignment := range []crisp.Assignment{
		{UserID: "operator-1"},
		{Nobody: true, Silent: true},
	} {
		if err := client.Assign(ctx, ref, assignment); err != nil {
			fmt.Println(err)
		}
		fmt.Printf("assigned to %q\n", visitor.Conversation().Assigned)
	}
	// Output:
	// assigned to "operator-1"
	// assigned to ""
}

func ExampleClient_MoveToInbox() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	if err := client.MoveToInbox(ctx, ref, "orders"); err != nil {
		fmt.Println(err)
	}
	fmt.Println("in inbox", visitor.Conversation().InboxID)
	// Output: in inbox orders
}

func ExampleClient_MoveToMainInbox() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	if err := client.MoveToMainInbox(ctx, ref); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("in inbox %q\n", visitor.Conversation().InboxID)
	// Output: in inbox ""
}

func ExampleClient_ConversationMeta() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	visitor.SetMeta(map[string]any{"nickname": "Ada", "data": map[string]any{"orders": 3}})

	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	meta, err := client.ConversationMeta(context.Background(), ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(meta.Nickname, "has", meta.Data["orders"], "orders")
	// Output: Ada has 3 orders
}

func ExampleClient_UpdateConversationMeta() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	err := client.UpdateConversationMeta(ctx, ref, crisp.MetaUpdate{
		Email:    "ada@example.com",
		Data:     map[string]any{"orders": 3},
		Segments: []string{"customer"},
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(visitor.Conversation().Meta["email"], visitor.Conversation().Meta["segments"])
	// Output: ada@example.com [customer]
}

func ExampleClient_Conversations() {
	srv, client, stop := startCrisp()
	defer stop()
	ctx := context.Background()
	for _, text := range []string{"Hello", "Where is my order?"} {
		srv.Visitor().Say(text)
	}

	query := crisp.ConversationQuery{Unread: true, NotResolved: true, Order: crisp.OrderUpdated}
	for conversation, err := range client.Conversations(ctx, crisptest.WebsiteID, query) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(conversation.State, conversation.LastMessage)
	}
	// Output:
	// pending Where is my order?
	// pending Hello
}

func ExampleClient_Conversation() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	visitor.SetMeta(map[string]any{"nickname": "Ada"})
	visitor.Say("Hello")

	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	conversation, err := client.Conversation(context.Background(), ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conversation.Meta.Nickname, "waits for", conversation.Unread.Operator, "answer")
	// Output: Ada waits for 1 answer
}

func ExampleClient_CreateConversation() {
	srv, client, stop := startCrisp()
	defer stop()
	ctx := context.Background()

	ref, err := client.CreateConversation(ctx, crisptest.WebsiteID)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.SendMessage(ctx, ref, crisp.Message{
		From:         crisp.FromUser,
		Origin:       "email",
		Content:      crisp.TextContent("Imported from another help desk"),
		NotAutomated: true,
	})
	if err != nil {
		fmt.Println(err)
	}
	conversation, _ := srv.Conversation(ref.WebsiteID, ref.SessionID)
	fmt.Println(conversation.Messages[0].Text())
	// Output: Imported from another help desk
}

func ExampleClient_InitiateConversation() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor() // who has not written yet

	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	fmt.Println(client.InitiateConversation(context.Background(), ref))
	// Output: <nil>
}

func ExampleClient_Messages() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	visitor.Say("Hello")
	if _, err := client.SendMessage(ctx, ref, crisp.Message{Content: crisp.TextContent("Hi!")}); err != nil {
		fmt.Println(err)
	}
	visitor.Say("Where is my order?")

	// What a language model needs to know of the conversation so far, at most 20
	// messages of it:
	n := 0
	for m, err := range client.Messages(ctx, ref) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s\n", m.From, m.Content)
		if n++; n == 20 {
			break
		}
	}
	// Output:
	// user: Where is my order?
	// operator: Hi!
	// user: Hello
}

func ExampleClient_MessagesSince() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	visitor.Say("Hello")
	since := time.UnixMilli(visitor.Say("Where is my order?").Timestamp)
	visitor.Say("It was due yesterday.")

	// A message of the history can go to the same handlers as a live one.
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		fmt.Println(ev.Content)
		return nil
	})
	for m, err := range client.MessagesSince(ctx, ref, since) {
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = router.Dispatch(ctx, m.Event()) // the router has told its error handler
	}
	// Output:
	// Where is my order?
	// It was due yesterday.
}

func ExampleClient_MessagesAround() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor, ctx := srv.Visitor(), context.Background()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}
	visitor.Say("Hello")
	found := visitor.Say("My order number is 1234.")

	page, err := client.MessagesAround(ctx, ref, time.UnixMilli(found.Timestamp))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range page {
		fmt.Println(m.Content)
	}
	// Output:
	// Hello
	// My order number is 1234.
}

func ExampleClient_Websites() {
	_, client, stop := startCrisp(crisptest.WithWebsites("site-1", "site-2"))
	defer stop()
	for website, err := range client.Websites(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(website.WebsiteID)
	}
	// Output:
	// site-1
	// site-2
}

func ExampleIdempotent() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	srv.FailREST(503, 1)
	ctx := crisp.Idempotent(context.Background()) // resolving twice does no harm
	err := client.SetState(ctx, ref, crisp.StateChange{State: crisp.SessionStateResolved})
	fmt.Println(err, visitor.Conversation().State)
	// Output: <nil> resolved
}

func ExampleClient_RateLimit() {
	srv, client, stop := startCrisp()
	defer stop()
	visitor := srv.Visitor()
	ref := crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}

	srv.FailREST(429, 1, time.Hour)
	_, err := client.Conversation(context.Background(), ref)
	fmt.Println(errors.Is(err, crisp.ErrQuota))
	wait := time.Until(client.RateLimit().RetryAt)
	fmt.Println(wait > 59*time.Minute)
	// Output:
	// true
	// true
}
