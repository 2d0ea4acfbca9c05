package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

const (
	aUUID  = "8c842203-7ed8-4e29-a608-7cf78a7d2fcc"
	aKey   = "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f"
	aHook  = "a-signing-secret"
	aQuery = "a+secret"
)

// The mistakes that are made in the first hour, and what each leads to: an error, or a
// line of the log if there is nobody to return an error to. The last words of each say
// what to do.
func TestNewcomersMistakes(t *testing.T) {
	onMessage := func(fn func(context.Context, *crisp.MessageSend) error) *crisp.Router {
		router := crisp.NewRouter()
		if fn == nil {
			fn = func(context.Context, *crisp.MessageSend) error { return nil }
		}
		crisp.On(router, fn)
		return router
	}
	newOf := func(token crisp.Token, opts ...crisp.Option) func(*testing.T, *crisptest.Server) error {
		return func(*testing.T, *crisptest.Server) error {
			_, err := crisp.New(token, opts...)
			return err
		}
	}
	// ended is what Run returns.
	ended := func(t *testing.T, client *crisp.Client, opts ...crisp.RTMOption) error {
		rtm, err := client.NewRTM(onMessage(nil), opts...)
		require.NoError(t, err)
		return rtm.Run(t.Context())
	}
	refusedFor := func(status int, reason string) func(*testing.T, *crisptest.Server) error {
		return func(t *testing.T, _ *crisptest.Server) error {
			client, err := crisp.New(crisp.PluginToken("id", "key"), crisp.WithHTTPClient(&http.Client{Transport: answering(func() *http.Response {
				answer := httptest.NewRecorder()
				answer.WriteHeader(status)
				_, _ = fmt.Fprintf(answer, `{"error":true,"reason":%q,"data":{}}`, reason)
				return answer.Result()
			})}))
			require.NoError(t, err)
			_, err = client.Conversation(t.Context(), crisp.SessionRef{WebsiteID: crisptest.WebsiteID, SessionID: "session_1"})
			return err
		}
	}
	// hook is what the log says of a web hook that is posted, changed by whatever is on
	// its way.
	hook := func(opt crisp.WebhookOption, change func(r *http.Request)) func(*testing.T, *crisptest.Server) error {
		return func(t *testing.T, _ *crisptest.Server) error {
			handler, err := crisp.NewWebhook(onMessage(nil), opt)
			require.NoError(t, err)
			body := testkit.HookBody("private")
			request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			request.Header = crisp.Sign(aHook, time.Now(), body)
			change(request)
			handler.ServeHTTP(httptest.NewRecorder(), request)
			return nil
		}
	}
	signed := crisp.WithSigningSecrets(aHook)

	for name, tt := range map[string]struct {
		make func(t *testing.T, srv *crisptest.Server) error
		says string // in the error; "" = in the log
		logs string
	}{
		"a wrong key, over REST": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				token := srv.Token()
				token.Key = "wrong"
				return ended(t, serverClient(t, srv, token))
			},
			says: `reason "invalid_session": check the token: identifier, key, and kind (plugin, user or website)`,
			logs: "RTM ended",
		},
		"a wrong key, over RTM": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				srv.RejectAuth("invalid authentication")
				return ended(t, srv.Client())
			},
			says: `credentials refused: the server says "invalid authentication": check the token: identifier, key, and kind (plugin, user or website)`,
			logs: "RTM ended",
		},
		"a token of another kind": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				token := srv.Token()
				return ended(t, serverClient(t, srv, crisp.UserToken(token.Identifier, token.Key)))
			},
			says: "check the token: identifier, key, and kind (plugin, user or website)",
			logs: "RTM ended",
		},
		"identifier and key swapped":        {make: newOf(crisp.PluginToken(aKey, aUUID)), says: "the token's identifier has the form of a key, and its key that of an identifier: are they swapped?"},
		"an empty variable":                 {make: newOf(crisp.PluginToken("", "")), says: "the token has no identifier"},
		"a key with a blank":                {make: newOf(crisp.PluginToken("id", "key key")), says: "has a blank, a line break or another character at byte 3"},
		"a key in quotes":                   {make: newOf(crisp.PluginToken("id", `'key'`)), says: "a quotation mark in it: leave quotes out"},
		"a website token without a website": {make: newOf(crisp.WebsiteToken("", "id", "key")), says: "use WebsiteToken(websiteID, identifier, key)"},
		"a website token in another order":  {make: newOf(crisp.WebsiteToken("id", "key", aUUID)), says: "the order is WebsiteToken(websiteID, identifier, key)"},
		"a token by hand":                   {make: newOf(crisp.Token{Identifier: "id", Key: "key"}), says: "use PluginToken, UserToken or WebsiteToken"},
		"http:// as base URL":               {make: newOf(crisp.PluginToken("id", "key"), crisp.WithBaseURL("http://api.crisp.chat/v1/")), says: "WithBaseURL: needs https://: crisp: refusing an endpoint without TLS"},
		"no logger":                         {make: newOf(crisp.PluginToken("id", "key"), crisp.WithLogger(nil)), says: "for silence, slog.New(slog.DiscardHandler)"},
		"no handlers": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().NewRTM(crisp.NewRouter())
				return err
			},
			says: "the router has no handlers to subscribe to events for: register some with On, OnName or OnAny before NewRTM",
		},
		"no handlers, but a filter": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().NewRTM(crisp.NewRouter(), crisp.WithFilter(crisp.Filter{Events: []string{"message:send"}}))
				return err
			},
			logs: "the router has no handlers: every event is ignored. Register them with On, OnName or OnAny",
		},
		"a handler that comes late": {
			make: func(_ *testing.T, srv *crisptest.Server) (err error) {
				defer func() { err = fmt.Errorf("%v", recover()) }()
				router := onMessage(nil)
				_, _ = srv.Client().NewRTM(router)
				router.OnAny(ignore)
				return nil
			},
			says: "the router is in use already: register all handlers before Client.NewRTM and the first event",
		},
		"no middleware": {
			make: func(*testing.T, *crisptest.Server) (err error) {
				defer func() { err = fmt.Errorf("%v", recover()) }()
				crisp.NewRouter().Use(nil)
				return nil
			},
			says: "Use(nil): needs middleware",
		},
		"Run twice": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				rtm := run(t, srv, onMessage(nil))
				authenticated(t, srv)
				return rtm.Run(t.Context())
			},
			says: "RTM.Run was called already: an RTM runs once, make another with Client.NewRTM",
		},
		"a typo in a name": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				router := crisp.NewRouter()
				router.OnName("mesage:send", ignore)
				_, err := srv.Client().NewRTM(router)
				return err
			},
			logs: "if it is not a new one, nothing comes\" event=mesage:send did_you_mean=message:send",
		},
		"a typo in the filter": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().NewRTM(onMessage(nil), crisp.WithFilter(crisp.Filter{Events: []string{"message:send", "session:set_stat"}}))
				return err
			},
			logs: "event=session:set_stat did_you_mean=session:set_state",
		},
		"a filter that starves a handler": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().NewRTM(onMessage(nil), crisp.WithFilter(crisp.Filter{Events: []string{"session:set_state"}}))
				return err
			},
			logs: "Filter.Events does not have the event's name: add it, or leave Events empty\" event=message:send",
		},
		"a session as a room": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().NewRTM(onMessage(nil), crisp.WithFilter(crisp.Filter{Rooms: []string{"session_1"}}))
				return err
			},
			says: "Filter.Rooms[0] is a session's identifier (session_…): rooms are websites",
		},
		"a room with its line break": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().NewRTM(onMessage(nil), crisp.WithFilter(crisp.Filter{Rooms: []string{crisptest.WebsiteID, crisptest.WebsiteID + "\n"}}))
				return err
			},
			says: "Filter.Rooms[1] has white space around it",
		},
		"an event of another kind of token": {
			make: func(_ *testing.T, srv *crisptest.Server) error {
				router := crisp.NewRouter()
				crisp.On(router, func(context.Context, *crisp.CampaignProgress) error { return nil })
				_, err := srv.Client().NewRTM(router)
				return err
			},
			says: `a plugin token can't receive "campaign:progress", which needs one of [user]: remove its handler`,
		},
		"a backfill of websites that nobody named": {
			make: func(*testing.T, *crisptest.Server) error {
				client, err := crisp.New(crisp.UserToken("id", "key"))
				if err != nil {
					return err
				}
				_, err = client.NewRTM(onMessage(nil), crisp.WithBackfill(crisp.Backfill{}))
				return err
			},
			says: "needs WithFilter with Rooms, the websites to ask for",
		},
		"a scope that the token lacks":     {make: refusedFor(403, "not_allowed"), says: "does it have the scope for this route, and access to the website?"},
		"a route of another kind of token": {make: refusedFor(403, "restricted_route_tier"), says: "this route is for tokens of another kind (plugin, user or website)"},
		"a session of another website":     {make: refusedFor(404, "conversation_not_found"), says: "is the session of this website, and not removed?"},
		"a website without the plugin":     {make: refusedFor(404, "not_subscribed"), says: "the website has not installed the token's plugin: check the website and the token"},
		"website and session swapped": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().SendMessage(t.Context(), crisp.SessionRef{WebsiteID: "session_1", SessionID: crisptest.WebsiteID}, crisp.Message{Content: crisp.TextContent("private")})
				return err
			},
			says: "invalid website_id: a session's identifier (session_…): are website and session swapped?",
		},
		"a path with the version": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				return srv.Client().Do(t.Context(), http.MethodGet, "/v1/website/"+crisptest.WebsiteID, nil, nil)
			},
			says: "begins with v1, which the base URL ends in already: leave it out",
		},
		"a path without an identifier": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				return srv.Client().Do(t.Context(), http.MethodGet, "website//conversations/1", nil, nil)
			},
			says: "has an empty element: is an identifier missing?",
		},
		"a position in no file": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				_, err := srv.Client().NewRTM(onMessage(nil), crisp.WithPosition(crisp.FilePosition("")))
				return err
			},
			says: `FilePosition(""): needs the path of a file`,
		},
		"a position in a folder that isn't there": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				return ended(t, srv.Client(), crisp.WithPosition(crisp.FilePosition(filepath.Join(t.TempDir(), "missing", "position"))))
			},
			says: "is it there, and may this program write to it?",
			logs: "RTM ended",
		},
		"two programs with one position": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				path := filepath.Join(t.TempDir(), "position")
				var both []*running
				for range 2 {
					both = append(both, run(t, srv, onMessage(nil), crisp.WithPosition(crisp.FilePosition(path)), crisp.WithBackfill(crisp.Backfill{})))
				}
				pass(5 * time.Minute)
				for _, rtm := range both {
					_ = rtm.Close()
					_ = rtm.ending(t) // it has saved for the last time
				}
				return nil
			},
			logs: "position: each needs a file of its own",
		},
		"a handler that never returns": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				run(t, srv, onMessage(func(ctx context.Context, _ *crisp.MessageSend) error {
					<-ctx.Done()
					return nil
				}))
				authenticated(t, srv)
				emit(srv, "session_1", 0, 8)
				pass(time.Minute)
				return nil
			},
			logs: "and what is behind it waits: does it hang?\" event=message:send running=30s waiting=7",
		},
		"a handler's error that nobody hears of": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				run(t, srv, onMessage(func(context.Context, *crisp.MessageSend) error { return io.ErrUnexpectedEOF }))
				authenticated(t, srv)
				emit(srv, "session_1", 0, 1)
				synctest.Wait()
				return nil
			},
			logs: "a handler of message:send failed: unexpected EOF",
		},
		"a Crisp that is down": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				srv.FailREST(http.StatusServiceUnavailable, 1000)
				run(t, srv, onMessage(nil))
				pass(time.Minute)
				return nil
			},
			logs: "RTM reconnects\" error=\"crisp: GET plugin/connect/endpoints: status 503",
		},
		"a gap that nothing fills": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				run(t, srv, onMessage(nil))
				authenticated(t, srv)
				srv.DropConnections()
				pass(time.Minute)
				return nil
			},
			logs: "missed for good: WithBackfill recovers messages, Hooks.Gap is told of the time",
		},
		"web hooks that nothing verifies": {
			make: func(*testing.T, *crisptest.Server) error {
				_, err := crisp.NewWebhook(onMessage(nil))
				return err
			},
			says: "nothing to verify web hooks by: needs WithSigningSecrets or WithURLSecrets",
		},
		"a secret with its line break": {
			make: func(*testing.T, *crisptest.Server) error {
				_, err := crisp.NewWebhook(onMessage(nil), crisp.WithSigningSecrets(aHook+"\n"))
				return err
			},
			says: "was it read from a file with its line break?",
		},
		"a wrong secret": {
			make: hook(crisp.WithSigningSecrets("another"), func(*http.Request) {}),
			logs: "wrong signature: is the secret the one that Crisp signs with, and did the body come unchanged?",
		},
		"a website's hook, but a plugin's secret": {
			make: hook(signed, func(r *http.Request) { r.Header = http.Header{} }),
			logs: "Web hooks of websites are not signed: see WithURLSecrets",
		},
		"a wrong clock": {
			make: hook(signed, func(r *http.Request) {
				r.Header = crisp.Sign(aHook, time.Now().Add(-time.Hour), testkit.HookBody("private"))
			}),
			logs: "it is 1h0m0s old by this machine's clock, which may be fast",
		},
		"a clock that is slow": {
			make: hook(signed, func(r *http.Request) {
				r.Header = crisp.Sign(aHook, time.Now().Add(time.Hour), testkit.HookBody("private"))
			}),
			logs: "it is 1h0m0s ahead of this machine's clock, which may be slow",
		},
		"a body that middleware has read": {
			make: hook(signed, func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
			logs: "the body is empty: something has read it before, which must put it back as it came",
		},
		"the same without a signature": {
			make: hook(crisp.WithURLSecrets("key", aQuery), func(r *http.Request) {
				r.Header, r.URL.RawQuery = http.Header{}, "key=a%2Bsecret"
				_, _ = io.Copy(io.Discard, r.Body)
			}),
			logs: "something has read it before, which must put it back",
		},
		"names of headers in lower case": {
			make: hook(signed, func(r *http.Request) {
				for name, values := range r.Header {
					delete(r.Header, name)
					r.Header[strings.ToLower(name)] = values
				}
			}),
			logs: `make names canonical, as http.Header.Set does`,
		},
		"a plus that became a blank": {
			make: hook(crisp.WithURLSecrets("key", aQuery), func(r *http.Request) { r.Header, r.URL.RawQuery = http.Header{}, "key=a%20secret" }),
			logs: "only by blanks for pluses, or the reverse: write a plus in a URL as %2B",
		},
		"messages beyond the limit of replies": {
			make: func(t *testing.T, srv *crisptest.Server) error {
				client := srv.Client()
				router := crisp.NewRouter()
				router.Use(crisp.LimitReplies(1))
				crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
					_, err := client.Reply(ctx, ev, crisp.TextContent("private"))
					return err
				})
				runClient(t, client, router)
				authenticated(t, srv)
				emit(srv, "session_1", 0, 3)
				synctest.Wait()
				return nil
			},
			logs: "LimitReplies keeps visitors' messages from the handlers",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(t)
			var err error
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				err = tt.make(t, srv)
				said := out.String() // before the end, which may have more to say
				if tt.logs == "" {
					assert.Empty(t, said)
				}
				assert.Contains(t, strings.ReplaceAll(said, `\"`, `"`), tt.logs)
				for _, secret := range []string{srv.Token().Key, aKey, aHook, aQuery, "private"} {
					assert.NotContains(t, fmt.Sprint(said, err), secret)
				}
			})
			if tt.says == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, tt.says)
		})
	}
}

// answering is a transport on which all calls have an answer.
type answering func() *http.Response

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a(), nil }

// serverClient is a client of a server in memory, with a token of one's own.
func serverClient(t *testing.T, srv *crisptest.Server, token crisp.Token) *crisp.Client {
	t.Helper()
	client, err := crisp.New(token, crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
	require.NoError(t, err)
	return client
}

// Who forgets Run is told when the RTM can't be run any more. Whoever has set a logger
// is not: a test's may not be used when it is over.
func TestAnRTMThatNeverRan(t *testing.T) {
	out, undo := testkit.Printed()
	defer undo()
	logged := new(testkit.Output)
	silent, err := crisp.New(crisp.PluginToken("id", "key"), crisp.WithLogger(slog.New(slog.NewTextHandler(logged, nil))))
	require.NoError(t, err)
	client, err := crisp.New(crisp.PluginToken("id", "key"))
	require.NoError(t, err)
	forget := func(client *crisp.Client, name string, use func(*crisp.RTM)) {
		router := crisp.NewRouter()
		router.OnName(name, ignore)
		rtm, err := client.NewRTM(router)
		require.NoError(t, err)
		use(rtm)
	}
	forget(client, "rtm:closed", func(rtm *crisp.RTM) { _ = rtm.Close() })
	forget(client, "rtm:shut:down", func(rtm *crisp.RTM) { _ = rtm.Shutdown(t.Context()) })
	forget(client, "rtm:run", func(rtm *crisp.RTM) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = rtm.Run(ctx)
	})
	forget(silent, "rtm:logged", func(*crisp.RTM) {})
	forget(client, "rtm:forgotten", func(*crisp.RTM) {})

	told := func(name string) bool {
		return strings.Contains(out.String(), "so that no events came: call it\" event="+name)
	}
	require.Eventually(t, func() bool {
		runtime.GC()
		return told("rtm:forgotten")
	}, time.Minute, time.Millisecond)
	for _, name := range []string{"rtm:closed", "rtm:shut:down", "rtm:run", "rtm:logged"} {
		assert.False(t, told(name), name)
	}
	assert.NotContains(t, logged.String(), neverRun)
}
