package crisptest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestOptionsThatAreWrong(t *testing.T) {
	tests := map[string]crisptest.Option{
		"unknown tier":         crisptest.WithTier("admin"),
		"empty token":          crisptest.WithToken(crisp.Token{Tier: crisp.TierUser}),
		"no websites":          crisptest.WithWebsites(),
		"empty website":        crisptest.WithWebsites(""),
		"empty secret":         crisptest.WithSigningSecret(""),
		"no heartbeat":         crisptest.WithHeartbeat(0, time.Second),
		"no heartbeat timeout": crisptest.WithHeartbeat(time.Second, 0),
		"no authentication":    crisptest.WithAuthTimeout(0),
		"no sessions":          crisptest.WithSessionLimit(0, crisptest.OverLimitSilent),
		"no attempts":          crisptest.WithHookRetries(0, time.Second),
		"negative delay":       crisptest.WithHookRetries(1, -time.Second),
		"no requests":          crisptest.WithRateLimit(0, time.Minute),
		"no pace":              crisptest.WithCampaignPace(0),
		"no span of time":      crisptest.WithRateLimit(1, 0),
		"no quota":             crisptest.WithDailyQuota(0),
		"no plugin":            crisptest.WithPluginID(""),
		"no history":           crisptest.WithHistory(0),
		"no port":              crisptest.WithAddr("127.0.0.1"),
		"named port":           crisptest.WithAddr("127.0.0.1:http"),
		"all interfaces":       crisptest.WithAddr(":4000"),
		"another host":         crisptest.WithAddr("crisp.example:4000"),
		"remote, without port": crisptest.WithRemoteAddr("10.0.0.1"),
		"remote, named port":   crisptest.WithRemoteAddr(":http"),
		"no journal":           crisptest.WithJournal(0),
	}
	for name, opt := range tests {
		t.Run(name, func(t *testing.T) {
			srv, err := crisptest.Start(opt)
			require.ErrorContains(t, err, "crisptest: With")
			assert.Nil(t, srv)
		})
	}
}

// recordingTB is a TB that records what is done to the test.
type recordingTB struct {
	cleanups []func()
	fatal    string
}

func (tb *recordingTB) Helper()          {}
func (tb *recordingTB) Cleanup(f func()) { tb.cleanups = append(tb.cleanups, f) }
func (tb *recordingTB) Fatalf(format string, args ...any) {
	tb.fatal = fmt.Sprintf(format, args...)
}

func TestNewServerFailsTheTestThatCannotHaveIt(t *testing.T) {
	tb := new(recordingTB)
	crisptest.NewServer(tb, crisptest.WithSigningSecret(""))
	assert.Equal(t, "crisptest: WithSigningSecret: the secret is empty", tb.fatal)
}

func TestServerEndsWithItsTest(t *testing.T) {
	tb := new(recordingTB)
	srv := crisptest.NewServer(tb)
	c := authenticate(t, srv, srv.Token(), "")
	require.Len(t, tb.cleanups, 1)
	tb.cleanups[0]()
	_, err := c.readEnd()
	require.Error(t, err)
	_, err = srv.Client().ConnectEndpoints(t.Context())
	require.ErrorContains(t, err, "connection refused")
	srv.Close() // again
}

func TestTokens(t *testing.T) {
	mine := crisp.UserToken("me", "key")
	srv := crisptest.NewServer(t, crisptest.WithToken(mine))
	assert.Equal(t, mine, srv.Token())
	assert.Equal(t, mine, srv.TokenFor(crisp.TierUser))
	assert.Equal(t, crisptest.WebsiteID, srv.TokenFor(crisp.TierWebsite).WebsiteID())
	assert.Panics(t, func() { srv.TokenFor("admin") })
	assert.NotEqual(t, srv.TokenFor(crisp.TierPlugin), crisptest.NewServer(t).Token(), "servers don't share credentials")
}

func TestServeReachesHandlersOfTheTest(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
		srv := crisptest.NewServer(t, opts...)
		url := srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "mine") }))
		resp, err := srv.HTTPClient().Get(url)
		require.NoError(t, err)
		defer func() { assert.NoError(t, resp.Body.Close()) }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "mine", string(body))
	})
}

func TestServeOnAClosedServer(t *testing.T) {
	srv, err := crisptest.Start()
	require.NoError(t, err)
	srv.Close()
	assert.Panics(t, func() { srv.Serve(http.NotFoundHandler()) })
	assert.Panics(t, func() { srv.MoveEndpoint() })
}

func TestCloseDoesNotWaitForSlowAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := crisptest.Start(crisptest.InMemory())
		require.NoError(t, err)
		srv.SlowREST(time.Hour)
		failed := make(chan error)
		go func() {
			_, err := srv.Client().ConnectEndpoints(context.Background())
			failed <- err
		}()
		synctest.Wait()
		start := time.Now()
		srv.Close()
		require.Error(t, <-failed)
		assert.Zero(t, time.Since(start))
	})
}

// Programs that use Start must not import package testing, which adds flags.
func TestPackageTestingIsNotImported(t *testing.T) {
	deps, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(deps))
	assert.Contains(t, packages, "github.com/crisp-go/crisp")
	assert.NotContains(t, packages, "testing")
	assert.NotContains(t, packages, "net/http/httptest")
}

// Runs the library's RTM client, in both versions and over both networks.
func TestTheLibrarysSession(t *testing.T) {
	for _, version := range []int{3, 4} {
		onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
			srv := crisptest.NewServer(t, opts...)
			router := crisp.NewRouter()
			got := make(chan crisp.Event)
			crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
				got <- ev
				return nil
			})
			rtm, err := srv.Client().NewRTM(router, crisp.WithEngineIO(version))
			require.NoError(t, err)
			srv.Run(t, rtm)
			for range 3 {
				require.NoError(t, srv.WaitAuthenticated(t.Context()))
				srv.Emit(sampleMessage())
				assert.JSONEq(t, string(sampleMessage().Raw), string((<-got).EventMeta().Raw))
				srv.MoveEndpoint()
			}
		})
	}
}
