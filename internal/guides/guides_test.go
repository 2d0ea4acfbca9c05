package guides

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// The functions have the code of the guides word for word, so that it is known to
// compile. It isn't run. The README's program and its test are in readme, where they are
// run. The code of docs/testing.md is in crisptest; that of docs/scaling.md that opens
// stores is beside these, that with an engine in examples/fleet, and that of
// docs/operations.md in crispotel.
var _ = []any{
	readmeWebhook,
	migrateCalls,
	migrateContent,
	restWebsite,
	rtmEnd,
	rtmHealth,
	rtmSettings,
	webhooksProgram,
	reliabilityRetry,
	webhooksParse,
	reliabilityGaps,
	botsFirst,
	botsGuards,
	botsHandOver,
	botsAgentGuards,
	botsAgentAnswer,
	botsRetry,
	botsPicker,
	botsDeadline,
	botsIdempotent,
	botsBackfill,
	botsTest,
	scalingOne,
	scalingTransports,
	scalingReplicas,
	scalingStandby,
	scalingAll,
}

func readmeWebhook(ctx context.Context, client *crisp.Client, newBot func(*crisp.Client) *crisp.Router, secret string) {
	handler, err := crisp.NewWebhook(newBot(client), crisp.WithSigningSecrets(secret))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: ":8080", Handler: handler,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	drained := make(chan error, 1)
	context.AfterFunc(ctx, func() { drained <- server.Shutdown(context.Background()) })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-drained; err != nil { // ListenAndServe returns before the handlers have
		log.Print(err)
	}
}

// The calls of docs/migrate.md that have arguments there.
func migrateCalls(ctx context.Context, id, key, websiteID string, f func(context.Context, *crisp.MessageSend) error) {
	client, err := crisp.New(crisp.PluginToken(id, key))
	_, _ = crisp.New(crisp.UserToken(id, key))
	_, _ = crisp.New(crisp.WebsiteToken(websiteID, id, key))
	_, _ = crisp.NewFromEnv()
	router := crisp.NewRouter()
	crisp.On(router, f)
	rtm, err2 := client.NewRTM(router)
	_, _ = crisp.NewWebhook(router, crisp.WithTolerance(time.Minute))
	_ = errors.Join(err, err2, rtm.Run(ctx))
	_ = rest.Website(client, websiteID)
	_ = crisp.WithAutomated(false)
}

func restWebsite(client *crisp.Client, websiteID string) {
	site := rest.Website(client, websiteID)
	_ = site
}

func migrateContent(client *crisp.Client, router *crisp.Router, save func(context.Context, string) error) {
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		switch content := ev.Content.(type) {
		case crisp.TextContent: // message:send/text
			_, err := client.Reply(ctx, ev, content)
			return err
		case *crisp.FileContent: // message:send/file
			return save(ctx, content.URL)
		default: // also what Crisp adds some day
			return nil
		}
	})
}

func rtmEnd(client *crisp.Client, router *crisp.Router) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	rtm, err := client.NewRTM(router, crisp.WithDrainTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	if err := rtm.Run(ctx); ctx.Err() == nil {
		log.Fatal(err) // e.g. ErrUnauthorized
	}
}

func rtmHealth(ctx context.Context, rtm *crisp.RTM) error {
	health := &http.Server{Addr: "127.0.0.1:9090", Handler: crisp.HealthHandler(rtm), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = health.ListenAndServe() }()
	defer func() { _ = health.Close() }()
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(ctx) }()
	if err := rtm.Ready(ctx); err == nil {
		log.Print("connected") // from here on, nothing is missed without being told
	}
	return <-ended
}

func rtmSettings(ctx context.Context, client *crisp.Client, router *crisp.Router, greetings *sync.Map) error {
	type settings struct {
		Greeting string `json:"greeting"`
		Team     string `json:"team"`
	}
	for website, err := range client.Websites(ctx) {
		if err != nil {
			return err
		}
		s, err := crisp.SettingsOf[settings](website)
		if err != nil {
			return err // which website's, and which field doesn't fit
		}
		greetings.Store(website.WebsiteID, s.Greeting)
	}
	crisp.On(router, func(ctx context.Context, ev *crisp.PluginSubscriptionUpdated) error {
		if !ev.Bound {
			greetings.Delete(ev.WebsiteID)
			return nil
		}
		installed, err := client.PluginSettings(ctx, ev.WebsiteID, ev.PluginID)
		if err != nil {
			return err
		}
		s, err := crisp.SettingsOf[settings](installed)
		if err != nil {
			return err
		}
		greetings.Store(ev.WebsiteID, s.Greeting)
		return nil
	})
	crisp.On(router, func(_ context.Context, ev *crisp.PluginSettingsSaved) error {
		s, err := crisp.SettingsOf[settings](ev)
		if err != nil {
			return err
		}
		greetings.Store(ev.WebsiteID, s.Greeting)
		return nil
	})
	return nil
}

func webhooksProgram(secret string, save func(context.Context, string, crisp.Content) error) {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		return save(ctx, ev.SessionID, ev.Content)
	})
	handler, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/hooks/crisp", handler)
	server := &http.Server{
		Addr:              ":8080",
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	drained := make(chan error, 1)
	context.AfterFunc(ctx, func() { drained <- server.Shutdown(context.Background()) })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-drained; err != nil { // ListenAndServe returns before the handlers have
		log.Print(err)
	}
}

func reliabilityRetry(router *crisp.Router, saveForLater func(ctx context.Context, id, name string, payload []byte, err error) error) {
	router.Use(crisp.Retry(crisp.RetryPolicy{
		Attempts:   10,
		MaxElapsed: 5 * time.Minute,
		DeadLetter: func(ctx context.Context, ev crisp.Event, err error) error {
			return saveForLater(ctx, crisp.EventID(ev), ev.EventName(), ev.EventMeta().Raw, err)
		},
	}))
}

func webhooksParse(ctx context.Context, router *crisp.Router, secret string, header http.Header, body []byte) error {
	ev, err := crisp.ParseHook(secret, header, body)
	if err != nil {
		return err // ErrSignature, ErrStale, …
	}
	return router.Dispatch(ctx, ev)
}

func reliabilityGaps(client *crisp.Client, router *crisp.Router) {
	rtm, err := client.NewRTM(router,
		crisp.WithBackfill(crisp.Backfill{}),
		crisp.WithPosition(crisp.FilePosition("/var/lib/mybot/position")),
		crisp.WithHooks(crisp.Hooks{
			Gap:        func(g crisp.Gap) { log.Println("missed", g.Reason, "from", g.From, "to", g.To) },
			Backfilled: func(b crisp.Backfilled) { log.Println("recovered", b.Messages, "complete:", b.Complete) },
		}))
	_, _ = rtm, err
}

func botsFirst(ctx context.Context, identifier, key string) {
	client, err := crisp.New(crisp.PluginToken(identifier, key))
	if err != nil {
		log.Fatal(err)
	}
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("Hello!"))
		return err
	})
	rtm, err := client.NewRTM(router, crisp.WithDrainTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	log.Print(rtm.Run(ctx)) // until ctx ends, which is when a signal comes
}

func botsGuards(client *crisp.Client, router *crisp.Router) {
	pauses := crisp.PauseOnHuman(router, client,
		crisp.ResumeAfter(8*time.Hour),
		crisp.ResumeOn(func(ev *crisp.SessionSetState) bool { return ev.State == crisp.SessionStateResolved }),
	)
	router.Use(
		crisp.IgnoreOperators(),
		crisp.IgnoreAutomated(),
		crisp.IgnoreSelf(client),
		crisp.LimitReplies(10),
		crisp.Typing(client), // last: nobody should seem to type who will not answer
	)
	_ = pauses
}

func botsHandOver(ctx context.Context, client *crisp.Client, pauses *crisp.Pauses, ref crisp.SessionRef, operatorID string) error {
	pauses.Pause(ref, time.Now())
	pending := client.SetState(ctx, ref, crisp.StateChange{State: crisp.SessionStatePending})
	assigned := client.Assign(ctx, ref, crisp.Assignment{UserID: operatorID})
	if err := errors.Join(pending, assigned); err != nil {
		return err // before the note, which Retry would send again
	}
	_, err := client.SendMessage(ctx, ref, crisp.Message{
		Content:  crisp.NoteContent("Order 1234 is late; the visitor wants to talk to a person."),
		Mentions: []string{operatorID},
	})
	return err
}

func botsAgentGuards(client *crisp.Client, router *crisp.Router) {
	router.Use(crisp.Once(crisp.NewMemoryClaims(0))) // first: what comes again is not thought about again
	pauses := crisp.PauseOnHuman(router, client, crisp.ResumeAfter(8*time.Hour))
	crisp.Supersede(router)
	router.Use(
		crisp.IgnoreOperators(),
		crisp.IgnoreAutomated(),
		crisp.LimitReplies(10),
		crisp.Typing(client), // while it thinks
	)
	_ = pauses
}

func botsAgentAnswer(client *crisp.Client, router *crisp.Router) {
	type chatMessage struct{ Role, Content string }
	var ask func(context.Context, []chatMessage) (string, error)
	var handOver func(context.Context, crisp.SessionRef, string) error
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		var chat []chatMessage // the newest first
		for m, err := range client.Messages(ctx, ev.Session()) {
			if err != nil {
				return err
			}
			role := "user"
			if m.From == crisp.FromOperator {
				role = "assistant" // a person, or the bot itself
			}
			if m.Type == crisp.MessageTypeText {
				chat = append(chat, chatMessage{role, m.Text()})
			}
			if len(chat) == 30 {
				break
			}
		}
		slices.Reverse(chat)
		answer, err := ask(ctx, chat)
		if ctx.Err() != nil {
			return context.Cause(ctx) // a person has answered, or the visitor has added something
		}
		if err != nil {
			return handOver(ctx, ev.Session(), "the model fails")
		}
		_, err = client.Reply(ctx, ev, crisp.TextContent(answer))
		return err
	})
}

func botsRetry(router *crisp.Router) {
	router.Use(crisp.Retry(crisp.RetryPolicy{
		DeadLetter: func(ctx context.Context, ev crisp.Event, err error) error {
			log.Println("not handled:", crisp.EventID(ev), err)
			return nil
		},
	}))
}

func botsPicker(client *crisp.Client, router *crisp.Router) {
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageUpdated) error {
		picker, ok := ev.Content.(*crisp.PickerContent)
		if !ok || picker.ID != "topic" {
			return nil
		}
		for _, choice := range picker.Choices {
			if choice.Selected {
				_, err := client.Reply(ctx, ev, crisp.TextContent("Let's talk about "+choice.Label))
				return err
			}
		}
		return nil
	})
}

func botsDeadline(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_ = ctx
}

func botsIdempotent(ctx context.Context, client *crisp.Client, ref crisp.SessionRef) {
	err := client.SetState(crisp.Idempotent(ctx), ref, crisp.StateChange{State: crisp.SessionStateResolved})
	_ = err
}

func botsBackfill(client *crisp.Client, router *crisp.Router) {
	rtm, err := client.NewRTM(router,
		crisp.WithConcurrency(8), // conversations at a time
		crisp.WithBackfill(crisp.Backfill{MaxAge: 15 * time.Minute}),
	)
	_, _ = rtm, err
}

func botsTest(t *testing.T, newBot func(*crisp.Client) *crisp.Router) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	rtm, err := client.NewRTM(newBot(client))
	require.NoError(t, err)
	srv.Run(t, rtm)

	visitor := srv.Visitor()
	visitor.Say("Hello")
	answer, err := visitor.WaitAnswer(t.Context())
	_, _ = answer, err
}

func scalingOne(client *crisp.Client, router *crisp.Router) {
	rtm, err := client.NewRTM(router,
		crisp.WithPosition(crisp.FilePosition("/var/lib/mybot/position")),
		crisp.WithBackfill(crisp.Backfill{}))
	_, _ = rtm, err
}

func scalingTransports(client *crisp.Client, secret string, answer func(context.Context, *crisp.MessageSend) error) {
	router := crisp.NewRouter()
	router.Use(crisp.Once(crisp.NewMemoryClaims(0)))
	crisp.On(router, answer)
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	if err != nil {
		log.Fatal(err)
	}
	rtm, err := client.NewRTM(router, crisp.WithBackfill(crisp.Backfill{}))
	_, _, _ = hooks, rtm, err
}

// sharedStore is what the modules of stores have.
type sharedStore interface {
	crisp.ClaimStore
	Position(name string) crisp.PositionStore
}

func scalingReplicas(router *crisp.Router, store sharedStore, secret string) {
	router.Use(crisp.Once(store))
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	_, _ = hooks, err
}

func scalingStandby(ctx context.Context, client *crisp.Client, router *crisp.Router, store sharedStore) {
	lease := crisp.NewLease(store, "rtm")
	err := crisp.Lead(ctx, lease, 0, func(ctx context.Context) error {
		rtm, err := client.NewRTM(router,
			crisp.WithPosition(store.Position("rtm")),
			crisp.WithBackfill(crisp.Backfill{}))
		if err != nil {
			return err
		}
		return rtm.Run(ctx)
	})
	_ = err
}

func scalingAll(client *crisp.Client, router *crisp.Router, store sharedStore, secret, hostname string, answer func(context.Context, *crisp.MessageSend) error) {
	router.Use(crisp.Once(store))
	crisp.On(router, answer)
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	if err != nil {
		log.Fatal(err)
	}
	rtm, err := client.NewRTM(router,
		crisp.WithPosition(store.Position(hostname)), // not shared: both clients run
		crisp.WithBackfill(crisp.Backfill{}))
	_, _, _ = hooks, rtm, err
}

func TestTheGuidesCompile(t *testing.T) {
	source := unindented(t, "guides_test.go") + unindented(t, "readme/main.go") + unindented(t, "readme/main_test.go")
	for _, module := range []string{"store/sqlstore/example_test.go", "store/redisstore/example_test.go", "examples/fleet/guide_test.go"} {
		source += unindented(t, "../../"+module)
	}
	checked := 0
	source += unindented(t, "../../crispotel/guide_test.go") + unindented(t, "../../examples/observed/guide_test.go")
	for _, guide := range pages(t) {
		if guide == filepath.Join("docs", "testing.md") {
			continue // crisptest has its code
		}
		guide = filepath.Join(root, guide)
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(unindented(t, guide), -1)
		checked += len(blocks)
		for _, block := range blocks {
			assert.Contains(t, source, block[1], guide)
		}
	}
	assert.Greater(t, checked, 35)
}

// unindented returns a file without the tabs at the beginning of its lines.
func unindented(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(string(text), "")
}
