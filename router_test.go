package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestDispatchOrder(t *testing.T) {
	var got testkit.Log[string]
	add := func(name string) func(context.Context, crisp.Event) error {
		return func(context.Context, crisp.Event) error { got.Add(name); return nil }
	}
	router := crisp.NewRouter()
	router.OnAny(add("any 1"))
	router.OnName("message:send", add("named 1"))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { got.Add("typed 1"); return nil })
	router.OnAny(add("any 2"))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { got.Add("typed 2"); return nil })
	crisp.On(router, func(context.Context, *crisp.MessageReceived) error { got.Add("other"); return nil })
	router.OnName("message:send", add("named 2"))

	require.NoError(t, router.Dispatch(t.Context(), &crisp.MessageSend{}))
	assert.Equal(t, []string{"typed 1", "typed 2", "named 1", "named 2", "any 1", "any 2"}, got.List())
}

func TestDispatchByName(t *testing.T) {
	newRouter := func(t *testing.T) (*crisp.Router, *testkit.Log[string]) {
		got := new(testkit.Log[string])
		router := crisp.NewRouter()
		crisp.On(router, func(_ context.Context, ev *crisp.SessionUpdateVerify) error {
			got.Add("typed " + ev.EventName())
			return nil
		})
		crisp.On(router, func(_ context.Context, ev *crisp.UnknownEvent) error {
			got.Add("unknown " + ev.EventName())
			return nil
		})
		for _, name := range []string{"session:updated", "brand:new"} {
			router.OnName(name, func(_ context.Context, ev crisp.Event) error {
				got.Add("named " + ev.EventName())
				return nil
			})
		}
		return router, got
	}
	tests := []struct {
		event string
		want  []string
	}{
		{"session:update_verify", []string{"typed session:update_verify"}},
		{"session:updated", []string{"typed session:updated", "named session:updated"}},
		{"brand:new", []string{"unknown brand:new", "named brand:new"}},
		{"never:heard:of", []string{"unknown never:heard:of"}},
		{"message:send", nil},
	}
	for _, tt := range tests {
		t.Run(tt.event, func(t *testing.T) {
			router, got := newRouter(t)
			ev, err := crisp.Decode(tt.event, []byte(`{}`))
			require.NoError(t, err)
			require.NoError(t, router.Dispatch(t.Context(), ev))
			assert.Equal(t, tt.want, got.List())
		})
	}
}

func TestEveryEventReachesTheHandlerOfItsName(t *testing.T) {
	for _, info := range crisp.Events() {
		t.Run(info.Name, func(t *testing.T) {
			router := crisp.NewRouter()
			var got crisp.Event
			router.OnName(info.Name, func(_ context.Context, ev crisp.Event) error {
				got = ev
				return nil
			})
			sample := crisptest.Sample(info.Name)
			require.NoError(t, router.Dispatch(t.Context(), sample))
			assert.Same(t, sample, got)
			assert.Equal(t, []string{info.Name}, router.EventNames())
		})
	}
}

func TestMiddleware(t *testing.T) {
	var got testkit.Log[string]
	wrap := func(name string) func(crisp.Handler) crisp.Handler {
		return func(next crisp.Handler) crisp.Handler {
			return func(ctx context.Context, ev crisp.Event) error {
				got.Add(name + " in")
				err := next(ctx, ev)
				got.Add(name + " out")
				return err
			}
		}
	}
	router := crisp.NewRouter()
	router.Use(wrap("first"), wrap("second"))
	router.Use(func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error {
			if ev.EventName() == "message:removed" {
				return nil
			}
			return next(ctx, ev)
		}
	})
	router.OnAny(func(context.Context, crisp.Event) error { got.Add("handler"); return nil })

	require.NoError(t, router.Dispatch(t.Context(), &crisp.MessageSend{}))
	assert.Equal(t, []string{"first in", "second in", "handler", "second out", "first out"}, got.List())

	require.NoError(t, router.Dispatch(t.Context(), &crisp.MessageRemoved{}))
	assert.Equal(t, []string{"first in", "second in", "second out", "first out"}, got.List()[5:], "kept from the handlers")
}

func TestMiddlewareDecidesWhatIsAFailure(t *testing.T) {
	var errs testkit.Log[error]
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
	router.Use(func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error {
			if err := next(ctx, ev); err != nil {
				return next(ctx, ev) // once more
			}
			return nil
		}
	})
	failures := 1
	router.OnAny(func(context.Context, crisp.Event) error {
		if failures--; failures >= 0 {
			return errors.New("not yet")
		}
		return nil
	})
	require.NoError(t, router.Dispatch(t.Context(), &crisp.MessageSend{}))
	assert.Empty(t, errs.List(), "what the middleware got over is no failure")
}

func TestMiddlewareThatWrapsErrors(t *testing.T) {
	var errs testkit.Log[error]
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
	router.Use(func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error {
			if err := next(ctx, ev); err != nil {
				return fmt.Errorf("in the middleware: %w", err)
			}
			return nil
		}
	})
	first, second := errors.New("first"), errors.New("second")
	router.OnAny(func(context.Context, crisp.Event) error { return first })
	router.OnAny(func(context.Context, crisp.Event) error { return second })
	ev := &crisp.MessageSend{}
	err := router.Dispatch(t.Context(), ev)
	var failed *crisp.HandlerError
	require.ErrorAs(t, err, &failed)
	assert.Same(t, ev, failed.Event)
	assert.Equal(t, []error{failed}, errs.List())
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, second)
	assert.ErrorContains(t, err, "in the middleware")
}

// A handler that dispatches another event by another router fails by its own
// name.
func TestHandlerThatFailsByAnotherRouter(t *testing.T) {
	quiet := crisp.WithErrorHandler(func(context.Context, error) {})
	inner, outer := crisp.NewRouter(quiet), crisp.NewRouter(quiet)
	inner.OnAny(func(context.Context, crisp.Event) error { return errors.New("boom") })
	outer.OnAny(func(ctx context.Context, _ crisp.Event) error { return inner.Dispatch(ctx, &crisp.SessionRemoved{}) })
	ev := &crisp.MessageSend{}
	err := outer.Dispatch(t.Context(), ev)
	var failed *crisp.HandlerError
	require.ErrorAs(t, err, &failed)
	assert.Same(t, ev, failed.Event)
}

// No event may pass without its middleware, not even the one after a panic.
func TestMiddlewareThatCanNotBeMade(t *testing.T) {
	for name, mw := range map[string]func(crisp.Handler) crisp.Handler{
		"panics":      func(crisp.Handler) crisp.Handler { panic("no database") },
		"returns nil": func(crisp.Handler) crisp.Handler { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			router := crisp.NewRouter()
			router.Use(mw)
			router.OnAny(func(context.Context, crisp.Event) error {
				t.Error("a handler ran")
				return nil
			})
			for range 2 {
				assert.Panics(t, func() { _ = router.Dispatch(t.Context(), &crisp.MessageSend{}) })
			}
		})
	}
}

func TestDispatchFailures(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name    string
		handler func(context.Context, crisp.Event) error
		is      error
		panics  bool
	}{
		{"an error", func(context.Context, crisp.Event) error { return boom }, boom, false},
		{"a panic with an error", func(context.Context, crisp.Event) error { panic(boom) }, boom, true},
		{"a panic with a value", func(context.Context, crisp.Event) error { panic("boom") }, nil, true},
		{"a nil dereference", func(_ context.Context, ev crisp.Event) error {
			var missing *crisp.MessageSend
			_ = missing.SessionID
			return nil
		}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var errs testkit.Log[error]
			router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
			ran := false
			router.OnAny(tt.handler)
			router.OnAny(func(context.Context, crisp.Event) error { ran = true; return nil })
			err := router.Dispatch(t.Context(), &crisp.MessageSend{Content: crisp.TextContent("a secret")})
			var failed *crisp.HandlerError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, "message:send", failed.Event.EventName())
			assert.Equal(t, tt.panics, failed.Stack != nil)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			assert.True(t, ran, "the other handlers run all the same")
			require.Len(t, errs.List(), 1)
			assert.ErrorAs(t, errs.List()[0], &failed)
			assert.NotContains(t, err.Error(), "a secret")
		})
	}
}

func TestDispatchReportsEachFailure(t *testing.T) {
	var errs testkit.Log[error]
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
	for range 3 {
		router.OnAny(func(context.Context, crisp.Event) error { return errors.New("boom") })
	}
	require.Error(t, router.Dispatch(t.Context(), &crisp.MessageSend{}))
	assert.Len(t, errs.List(), 3)
}

func TestMiddlewareThatPanics(t *testing.T) {
	var errs testkit.Log[error]
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
	router.Use(func(crisp.Handler) crisp.Handler {
		return func(context.Context, crisp.Event) error { panic("middleware") }
	})
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	var failed *crisp.HandlerError
	require.ErrorAs(t, router.Dispatch(t.Context(), &crisp.MessageSend{}), &failed)
	assert.NotEmpty(t, failed.Stack)
	assert.Len(t, errs.List(), 1)
}

func TestRegistrationFreezes(t *testing.T) {
	register := map[string]func(r *crisp.Router){
		"On":     func(r *crisp.Router) { crisp.On(r, func(context.Context, *crisp.MessageSend) error { return nil }) },
		"OnAny":  func(r *crisp.Router) { r.OnAny(func(context.Context, crisp.Event) error { return nil }) },
		"OnName": func(r *crisp.Router) { r.OnName("x", func(context.Context, crisp.Event) error { return nil }) },
		"Use":    func(r *crisp.Router) { r.Use(func(next crisp.Handler) crisp.Handler { return next }) },
	}
	use := map[string]func(r *crisp.Router){
		"Dispatch": func(r *crisp.Router) { _ = r.Dispatch(context.Background(), &crisp.MessageSend{}) },
		"NewRTM": func(r *crisp.Router) {
			client, err := crisp.New(crisp.PluginToken("id", "key"))
			require.NoError(t, err)
			_, err = client.NewRTM(r)
			require.NoError(t, err)
		},
		"a web hook": func(r *crisp.Router) {
			hook, err := crisp.NewWebhook(r, crisp.WithSigningSecrets(signingSecret))
			require.NoError(t, err)
			hook.ServeHTTP(httptest.NewRecorder(), hookRequest(testkit.HookBody("hello")))
		},
	}
	for used, use := range use {
		for name, register := range register {
			t.Run(name+" after "+used, func(t *testing.T) {
				router := crisp.NewRouter()
				crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
				use(router)
				assert.PanicsWithValue(t, "crisp: the router is in use already: register all handlers before Client.NewRTM and the first event",
					func() { register(router) })
			})
		}
	}
}

func TestRegistrationRefusesNonsense(t *testing.T) {
	router := crisp.NewRouter()
	assert.Panics(t, func() { router.OnName("", func(context.Context, crisp.Event) error { return nil }) })
	assert.Panics(t, func() { router.OnName("x", nil) })
	assert.Panics(t, func() { router.Use(nil) })
	assert.Panics(t, func() { router.OnAny(nil) })
	assert.Panics(t, func() { crisp.On[crisp.MessageSend](router, nil) })
	assert.Empty(t, router.EventNames())
}

func TestEventNames(t *testing.T) {
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.SessionSetState) error { return nil })
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	crisp.On(router, func(context.Context, *crisp.UnknownEvent) error { return nil })
	router.OnName("brand:new", func(context.Context, crisp.Event) error { return nil })
	assert.Equal(t, []string{"brand:new", "message:send", "session:set_state"}, router.EventNames())

	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	assert.Len(t, router.EventNames(), len(crisp.Events())+1, "the whole catalog, and what it does not have")
}

func TestScopesAndHookNames(t *testing.T) {
	none := func(context.Context, crisp.Event) error { return nil }
	router := crisp.NewRouter()
	assert.Empty(t, router.Scopes())
	assert.Empty(t, router.HookNames())
	for _, name := range []string{"session:updated", "brand:new", "plugin:event", "message:send", "message:removed", "spam:message"} {
		router.OnName(name, none)
	}
	crisp.On(router, func(context.Context, *crisp.SessionUpdateVerify) error { return nil })
	assert.Equal(t, []string{"website:conversation:messages read", "website:conversation:sessions read"}, router.Scopes())
	assert.Equal(t, []string{"brand:new", "message:removed", "message:send", "plugin:event", "session:update_verify"}, router.HookNames())

	router.OnAny(none)
	scopes, hooks := 0, 0
	distinct := make(map[string]bool)
	for _, info := range crisp.Events() {
		if info.Scope != "" && !distinct[info.Scope] {
			distinct[info.Scope] = true
			scopes++
		}
		if !info.RTMOnly {
			hooks++
		}
	}
	assert.Len(t, router.Scopes(), scopes)
	assert.Len(t, router.HookNames(), hooks+1)
}

// What a guard watches has to be subscribed to as well.
func TestScopesOfGuards(t *testing.T) {
	client, _ := mockedClient(t)
	router := crisp.NewRouter()
	crisp.PauseOnHuman(router, client, crisp.ResumeOn(func(*crisp.SessionSetState) bool { return true }))
	assert.Equal(t, []string{"website:conversation:messages read", "website:conversation:states read"}, router.Scopes())
}

func TestOnMessage(t *testing.T) {
	router := crisp.NewRouter()
	var got []string
	crisp.OnMessage(router, func(_ context.Context, ev crisp.MessageEvent) error {
		got = append(got, ev.EventName()+" "+ev.Session().SessionID+" "+string(ev.Message().From)+" "+ev.Text())
		return nil
	})
	assert.Equal(t, []string{"message:received", "message:send"}, router.EventNames())
	for _, ev := range []crisp.Event{
		&crisp.MessageSend{SessionID: "a", From: crisp.FromUser, Content: crisp.TextContent("hello")},
		&crisp.MessageReceived{SessionID: "b", From: crisp.FromOperator, Content: crisp.NoteContent("a note")},
		&crisp.MessageReceived{SessionID: "c", From: crisp.FromOperator, Content: &crisp.PickerContent{Text: "choose"}},
		&crisp.MessageSend{SessionID: "d"},
		&crisp.MessageUpdated{SessionID: "e", Content: crisp.TextContent("no new message")},
	} {
		require.NoError(t, router.Dispatch(t.Context(), ev))
	}
	assert.Equal(t, []string{"message:send a user hello", "message:received b operator a note", "message:received c operator ", "message:send d  "}, got)
	assert.Panics(t, func() { crisp.OnMessage(router, nil) })
}

func TestDefaultErrorHandlerLogs(t *testing.T) {
	out, undo := testkit.Printed("RTM.Run was never called") // by another test
	defer undo()

	router := crisp.NewRouter()
	router.OnAny(func(context.Context, crisp.Event) error { return errors.New("database down") })
	router.OnAny(func(context.Context, crisp.Event) error { panic("boom") })
	require.Error(t, router.Dispatch(t.Context(), &crisp.MessageSend{
		Meta:    crisp.Meta{Problems: []crisp.FieldProblem{{Path: "stamped", Wanted: "boolean", Got: "number"}}},
		Content: crisp.TextContent("a secret"),
	}))
	lines := out.Lines()
	require.Len(t, lines, 3)
	assert.Contains(t, lines[0], "level=WARN")
	assert.Contains(t, lines[0], "stamped: wanted boolean")
	assert.Contains(t, lines[1], "level=ERROR")
	assert.Contains(t, lines[1], "database down")
	assert.Contains(t, lines[2], "boom")
	assert.Contains(t, lines[2], "router_test.go", "the stack leads to the handler")
	assert.NotContains(t, out.String(), "a secret")
}
