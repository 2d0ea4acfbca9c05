package fault_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/fault"
)

// Each fault with its defaults shows in what a program sees of the server.
func TestEveryFaultShows(t *testing.T) {
	tests := map[string]func(t *testing.T, srv *crisptest.Server){
		"drop":             ended("dropped"),
		"silence":          ended("gone silent"),
		"rtm-down":         ended("dropped"),
		"move-endpoint":    ended("dropped"),
		"refuse-handshake": refused,
		"hang-up":          refused,
		"refuse-auth":      refused,
		"ignore-auth":      refused,
		"broken-endpoint": func(t *testing.T, srv *crisptest.Server) {
			endpoints, err := srv.Client().ConnectEndpoints(t.Context())
			require.NoError(t, err)
			assert.Contains(t, endpoints.Socket.App, "/gone/")
		},
		"fail-rest": statusIs(http.StatusInternalServerError),
		"gateway":   statusIs(http.StatusBadGateway),
		"limit-rest": func(t *testing.T, srv *crisptest.Server) {
			for range 10 {
				statusIs(http.StatusOK)(t, srv)
			}
			statusIs(http.StatusTooManyRequests)(t, srv)
		},
		"slow-rest": func(t *testing.T, srv *crisptest.Server) {
			began := time.Now()
			statusIs(http.StatusOK)(t, srv)
			assert.Equal(t, 2*time.Second, time.Since(began))
		},
		"duplicate-hooks": func(t *testing.T, srv *crisptest.Server) {
			srv.EmitRaw("a", []byte("{}"))
			synctest.Wait()
			assert.Len(t, srv.Deliveries(), 2)
		},
		"reorder-hooks": func(t *testing.T, srv *crisptest.Server) {
			for _, name := range []string{"a", "b", "c"} {
				srv.EmitRaw(name, []byte("{}"))
			}
			synctest.Wait()
			assert.Equal(t, "c", srv.Deliveries()[0].Event)
		},
		"skew-clock": func(t *testing.T, srv *crisptest.Server) {
			said := time.UnixMilli(srv.Visitor().Say("Hello").Timestamp)
			assert.Greater(t, time.Until(said), 59*time.Minute)
		},
	}
	for _, kind := range fault.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			check := tests[kind.Name]
			require.NotNil(t, check, "each fault has a row here")
			synctest.Test(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory())
				srv.AddPluginHook(srv.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
				router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
				router.OnAny(func(context.Context, crisp.Event) error { return nil })
				rtm, err := srv.Client().NewRTM(router)
				require.NoError(t, err)
				srv.Run(t, rtm)
				f, err := fault.Parse(kind.Name)
				require.NoError(t, err)
				f.Apply(srv)
				check(t, srv)
				srv.Heal()
			})
		})
	}
}

func ended(why string) func(*testing.T, *crisptest.Server) {
	return func(t *testing.T, srv *crisptest.Server) {
		require.NotEmpty(t, srv.PastSessions())
		assert.Contains(t, srv.PastSessions()[0].Ended, why)
	}
}

// refused asserts that a new connection does not become an authenticated one.
func refused(t *testing.T, srv *crisptest.Server) {
	srv.DropConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.ErrorIs(t, srv.WaitAuthenticated(ctx), context.DeadlineExceeded)
}

func statusIs(want int) func(*testing.T, *crisptest.Server) {
	return func(t *testing.T, srv *crisptest.Server) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+"plugin/connect/endpoints", nil)
		require.NoError(t, err)
		r.SetBasicAuth(srv.Token().Identifier, srv.Token().Key)
		r.Header.Set("X-Crisp-Tier", "plugin")
		answer, err := srv.HTTPClient().Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, want, answer.StatusCode)
	}
}

func TestParams(t *testing.T) {
	for text, want := range map[string]string{
		"fire":                         `there is no fault "fire"; there are drop, silence, `,
		"silence,now=1":                `fault silence: it takes no "now", nor anything else`,
		"drop,when=1":                  `fault drop: it takes no "when", but how`,
		"drop,how=softly":              `fault drop: how is "softly"; it must be close or cut or reset or packet`,
		"drop,how":                     `fault drop: "how" is not of the form NAME=VALUE`,
		"fail-rest,status=99":          `fault fail-rest: status is "99"; it must be an HTTP status from 200 to 599`,
		"fail-rest,count=0":            `fault fail-rest: count is "0"; it must be a number from 1, or always`,
		"slow-rest,delay=-1s":          `fault slow-rest: delay is "-1s"; it must be a time such as 500ms, 2s or 1m`,
		"skew-clock,by=-1h":            "",
		"fail-rest,status=503,count=2": "",
	} {
		_, err := fault.ParseFlag(text)
		if want == "" {
			assert.NoError(t, err, text)
			continue
		}
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want)
	}
}

func TestParamsAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		f, err := fault.ParseFlag("fail-rest,status=503,count=2,retry=3s")
		require.NoError(t, err)
		f.Apply(srv)
		for _, status := range []int{503, 503, 200} {
			statusIs(status)(t, srv)
		}
	})
}
