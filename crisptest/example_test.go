package crisptest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// A bot answers a visitor. In a test, [crisptest.NewServer] and
// [crisptest.Server.Run] make this shorter.
func Example() {
	ctx := context.Background()
	srv, err := crisptest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	client := srv.Client()
	rtm, err := client.NewRTM(newBot(client))
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = rtm.Run(ctx) }()
	defer func() { _ = rtm.Shutdown(ctx) }()
	if err := srv.WaitAuthenticated(ctx); err != nil {
		fmt.Println(err)
		return
	}

	visitor := srv.Visitor()
	visitor.Say("Anybody there?")
	answer, err := visitor.WaitAnswer(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Text())
	// Output: Hello!
}

func ExampleNewHookRequest() {
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.SessionSetEmail) error {
		fmt.Println("the visitor's address is", ev.Email)
		return nil
	})
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("secret"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ev := &crisp.SessionSetEmail{WebsiteID: "w", SessionID: "s", Email: "camille@nova.example"}
	answer := httptest.NewRecorder()
	hooks.ServeHTTP(answer, crisptest.NewHookRequest("secret", ev))
	fmt.Println("answered", answer.Code)
	// Output:
	// the visitor's address is camille@nova.example
	// answered 200
}

// A sample has a value in every field. Change those that matter to a test.
func ExampleSample() {
	ev := crisptest.Sample("message:send").(*crisp.MessageSend)
	ev.Content = crisp.TextContent("Where is my order?")
	fmt.Println(ev.From, "says", ev.Content)
	// Output: user says Where is my order?
}

// The failures of several calls follow one another.
func ExampleServer_FailREST() {
	srv, err := crisptest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.FailREST(http.StatusBadGateway, 1)
	srv.FailREST(http.StatusTooManyRequests, 1)
	for range 3 {
		_, err := srv.Client().ConnectEndpoints(context.Background())
		fmt.Println(err)
	}
	// Output:
	// crisp: GET plugin/connect/endpoints: status 502 Bad Gateway
	// crisp: GET plugin/connect/endpoints: status 429 Too Many Requests, reason "rate_limited"
	// <nil>
}

// Routes that the server doesn't have can be added.
func ExampleServer_HandleREST() {
	srv, err := crisptest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.HandleREST("GET website/{website_id}/people/profile/{people_id}", func(r *http.Request) (int, any) {
		return http.StatusOK, map[string]string{"people_id": r.PathValue("people_id"), "email": "camille@nova.example"}
	})
	var profile struct{ Email string }
	err = srv.Client().Do(context.Background(), http.MethodGet, "website/w/people/profile/p", nil, &profile)
	fmt.Println(profile.Email, err)
	// Output: camille@nova.example <nil>
}
