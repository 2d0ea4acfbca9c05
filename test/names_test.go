package test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

func ignore(context.Context, crisp.Event) error { return nil }

func TestUnlikelyNamesAreWarnedOf(t *testing.T) {
	onMessage := func(r *crisp.Router) {
		crisp.On(r, func(context.Context, *crisp.MessageSend) error { return nil })
	}
	onNames := func(names ...string) func(*crisp.Router) {
		return func(r *crisp.Router) {
			for _, name := range names {
				r.OnName(name, ignore)
			}
		}
	}
	tests := []struct {
		name     string
		register func(*crisp.Router)
		filter   []string
		warnings []string // parts of the lines, in order
	}{
		{name: "none", register: onMessage},
		{name: "an alias", register: onNames("session:updated")},
		{name: "a typo", register: onNames("mesage:send"), warnings: []string{"event=mesage:send did_you_mean=message:send"}},
		{name: "upper case", register: onNames("Message:Send"), warnings: []string{"event=Message:Send did_you_mean=message:send"}},
		{name: "the name in Go", register: onNames("SessionSetState"), warnings: []string{"event=SessionSetState did_you_mean=session:set_state"}},
		{name: "a new event", register: onNames("hugo:agent:answered"), warnings: []string{"event=hugo:agent:answered\n"}},
		{name: "two", register: onNames("message:receievd", "session:set_emial"),
			warnings: []string{"did_you_mean=message:received", "did_you_mean=session:set_email"}},
		{name: "in the filter", register: onMessage, filter: []string{"message:sent", "message:send"},
			warnings: []string{"event=message:sent did_you_mean=message:send"}},
		{name: "a handler that starves", register: func(r *crisp.Router) {
			onMessage(r)
			crisp.On(r, func(context.Context, *crisp.SessionSetState) error { return nil })
		}, filter: []string{"message:send"}, warnings: []string{"Filter.Events does not have the event's name: add it, or leave Events empty\" event=session:set_state"}},
		{name: "both in one", register: onMessage, filter: []string{"message:sent"},
			warnings: []string{"event=message:sent did_you_mean=message:send", "event=message:send\n"}},
		{name: "an alias in the filter", register: func(r *crisp.Router) {
			crisp.On(r, func(context.Context, *crisp.SessionUpdateVerify) error { return nil })
		}, filter: []string{"session:updated"}},
		{name: "any event, narrowed", register: func(r *crisp.Router) { r.OnAny(ignore) }, filter: []string{"message:send"}},
		{name: "no handlers", register: func(*crisp.Router) {}, filter: []string{"message:send"}, warnings: []string{"the router has no handlers"}},
		{name: "hostile", register: onNames("x\x1b[2J\n" + strings.Repeat("y", 10_000)), warnings: []string{"(10006 bytes)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := printed(t)
			client, err := crisp.New(crisp.PluginToken("id", "key"))
			require.NoError(t, err)
			router := crisp.NewRouter()
			tt.register(router)
			rtm, err := client.NewRTM(router, crisp.WithFilter(crisp.Filter{Events: tt.filter}))
			require.NoError(t, err)
			assertLines(t, tt.warnings, out)
			_ = rtm.Close()
		})
	}
}

func assertLines(t *testing.T, want []string, out *testkit.Output) {
	t.Helper()
	lines := out.Lines()
	require.Len(t, lines, len(want))
	for i, part := range want {
		assert.Contains(t, lines[i]+"\n", part)
		assert.Less(t, len(lines[i]), 1000)
	}
}

// Bind can starve a handler as well.
func TestBindWarnsOfUnlikelyNames(t *testing.T) {
	out := printed(t)
	client, err := crisp.New(crisp.PluginToken("id", "key"))
	require.NoError(t, err)
	router, _ := texts()
	rtm, err := client.NewRTM(router)
	require.NoError(t, err)
	require.NoError(t, rtm.Close())
	assert.Empty(t, out.String())
	_ = rtm.Bind(t.Context(), crisp.Filter{Events: []string{"message:receievd"}})
	assertLines(t, []string{"event=message:receievd did_you_mean=message:received", "event=message:send\n"}, out)
}

// The handlers of a web hook may be registered after it was made: the first one that
// comes says whether they are likely.
func TestUnlikelyNamesOfWebHooks(t *testing.T) {
	for name, tt := range map[string]struct {
		register func(*crisp.Router)
		warnings []string
	}{
		"fine":        {register: func(r *crisp.Router) { r.OnName("message:send", ignore) }},
		"a typo":      {register: func(r *crisp.Router) { r.OnName("message:sned", ignore) }, warnings: []string{"did_you_mean=message:send"}},
		"no handlers": {register: func(*crisp.Router) {}, warnings: []string{"the router has no handlers"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(t)
			router := crisp.NewRouter()
			hook, err := crisp.NewWebhook(router, crisp.WithURLSecrets("key", "secret"))
			require.NoError(t, err)
			tt.register(router)
			for range 2 {
				answer := httptest.NewRecorder()
				hook.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/?key=secret", bytes.NewReader(testkit.HookBody("hi"))))
				assert.Equal(t, http.StatusOK, answer.Code)
			}
			assertLines(t, tt.warnings, out)
		})
	}
	out := printed(t)
	hook, err := crisp.NewWebhook(crisp.NewRouter(), crisp.WithURLSecrets("key", "secret"), crisp.WithHookLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	hook.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/?key=secret", bytes.NewReader(testkit.HookBody("hi"))))
	assertLines(t, nil, out)
	_, err = crisp.NewWebhook(crisp.NewRouter(), crisp.WithURLSecrets("key", "secret"), crisp.WithHookLogger(nil))
	assert.Error(t, err)
}
