package crisp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func ExampleSettingsOf() {
	srv, client, stop := startCrisp(crisptest.WithWebsites("shop", "blog"))
	defer stop()
	srv.SavePluginSettings("shop", map[string]any{"greeting": "Welcome!"})

	type settings struct {
		Greeting string `json:"greeting"`
	}
	for website, err := range client.Websites(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		s, err := crisp.SettingsOf[settings](website)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %q\n", website.WebsiteID, s.Greeting)
	}
	// Output:
	// shop: "Welcome!"
	// blog: ""
}

func ExampleWithAutoRebind() {
	srv, client, stop := startCrisp(crisptest.WithWebsites("shop"))
	defer stop()
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		fmt.Println("a visitor of the", ev.WebsiteID, "writes")
		return nil
	})
	router.Use(srv.Watch)
	rtm, err := client.NewRTM(router, crisp.WithAutoRebind())
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	ctx := context.Background()
	go func() { ended <- rtm.Run(ctx) }()
	if err := rtm.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	srv.Install("museum") // Crisp has to be asked before it sends the museum's events
	_, _ = srv.WaitBind(ctx, func(b crisptest.Bind) bool {
		fmt.Println(b.Kind)
		return true
	})
	srv.Visitor("museum").Say("Are you open today?")
	_, _ = srv.WaitHandled(ctx, func(crisptest.Handled) bool { return true })
	_ = rtm.Close()
	fmt.Println(<-ended)
	// Output:
	// socket:bind
	// a visitor of the museum writes
	// crisp: RTM client closed
}

func ExampleWithDrainTimeout() {
	srv, client, stop := startCrisp()
	defer stop()
	handling := make(chan struct{})
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error {
		close(handling)
		select {
		case <-time.After(50 * time.Millisecond):
			fmt.Println("answered")
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	rtm, err := client.NewRTM(router, crisp.WithDrainTimeout(10*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	go func() {
		_ = rtm.Ready(ctx)
		srv.Visitor().Say("Hello")
		<-handling
		cancel() // the signal comes
	}()
	fmt.Println(rtm.Run(ctx))
	// Output:
	// answered
	// context canceled
}

func ExampleHealthHandler() {
	_, client, stop := startCrisp()
	defer stop()
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	rtm, err := client.NewRTM(router)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := crisp.HealthHandler(rtm)
	probe := func(path string) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, answer.Code)
	}
	probe("/readyz") // Run was not called yet
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(context.Background()) }()
	if err := rtm.Ready(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	probe("/readyz")
	_ = rtm.Close()
	fmt.Println(<-ended)
	probe("/healthz")
	// Output:
	// /readyz 503
	// /readyz 200
	// crisp: RTM client closed
	// /healthz 503
}
