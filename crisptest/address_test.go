package crisptest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestSingleAddress(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithSingleAddress())
	host := strings.TrimSuffix(srv.URL(), "/v1/")
	assert.Equal(t, host+"/rtm/", endpoint(t, srv))

	rtm, err := srv.Client().NewRTM(anyRouter())
	require.NoError(t, err)
	srv.Run(t, rtm)
	call(t, srv, srv.Token(), http.MethodGet, "website/w/conversations/1", "")
	assert.Len(t, srv.Requests(), 3, "REST is still there, and the RTM API no part of it")

	srv.MoveEndpoint()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	moved := endpoint(t, srv)
	assert.Regexp(t, "^"+host+"/rtm/[a-z0-9]+/$", moved)
	assert.Equal(t, http.StatusUnauthorized, statusOf(t, srv, host+"/rtm/?EIO=4&transport=websocket"), "nothing is at the old one")

	srv.BreakEndpoint()
	assert.Equal(t, host+"/gone/", endpoint(t, srv))
	srv.DropConnections(crisptest.DropReset)
	require.NoError(t, srv.WaitAuthenticated(t.Context()), "by the rescue")
}

// The official SDKs ask REST for the endpoint only once.
func TestSingleAddressIsTheSameAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var before string
		for range 2 {
			srv, err := crisptest.Start(crisptest.InMemory(), crisptest.WithAddr("127.0.0.1:7700"), crisptest.WithSingleAddress())
			require.NoError(t, err)
			if at := endpoint(t, srv); before != "" {
				assert.Equal(t, before, at)
			} else {
				before = at
			}
			srv.Close()
		}
	})
}

// A container's program listens on all interfaces; the port that others reach is
// another.
func TestRemoteAddress(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithRemoteAddr(":0"))
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/v1/$`, srv.URL())
	require.NoError(t, reaches(t, srv))

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+"plugin/connect/endpoints", nil)
	require.NoError(t, err)
	r.Host = "fake.example:80"
	token := srv.Token()
	r.SetBasicAuth(token.Identifier, token.Key)
	r.Header.Set("X-Crisp-Tier", "plugin")
	assert.JSONEq(t, `{"socket":{"app":"http://fake.example:80/rtm/"}}`, string(do(t, srv, r).Data))
}

func reaches(t *testing.T, srv *crisptest.Server) error {
	t.Helper()
	client, err := crisp.New(srv.Token(), crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
	require.NoError(t, err)
	_, err = client.ConnectEndpoints(t.Context())
	return err
}

func TestHandle(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Handle("/debug/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	srv.FailREST(http.StatusInternalServerError, -1)
	host := strings.TrimSuffix(srv.URL(), "/v1/")
	assert.Equal(t, http.StatusTeapot, statusOf(t, srv, host+"/debug/anything"))
	assert.Empty(t, srv.Requests())
	assert.Equal(t, http.StatusInternalServerError, statusOf(t, srv, host+"/else"))
}

func statusOf(t *testing.T, srv *crisptest.Server, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	answer, err := srv.HTTPClient().Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}
