package crisp_test

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
)

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestSendings looks at what a RoundTripper learns of each request.
func TestSendings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		var sendings []crisp.Sending
		var others int // requests that are no REST call
		base := srv.HTTPClient().Transport
		client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			if s, ok := crisp.SendingOf(req.Context()); ok {
				sendings = append(sendings, s)
			} else {
				others++
			}
			return base.RoundTrip(req)
		})}))
		get := func() error { return client.Do(t.Context(), http.MethodGet, "website/"+crisptest.WebsiteID, nil, nil) }

		require.NoError(t, get())
		assert.Equal(t, []crisp.Sending{{Number: 1}}, sendings, "at once")

		sendings = nil
		srv.FailREST(http.StatusTooManyRequests, 2, 10*time.Second)
		require.NoError(t, get())
		require.Len(t, sendings, 3)
		assert.Equal(t, []int{1, 2, 3}, []int{sendings[0].Number, sendings[1].Number, sendings[2].Number})
		for _, again := range sendings[1:] {
			assert.GreaterOrEqual(t, again.Waited, 10*time.Second, "as the server asked")
		}

		srv.Heal()
		sendings = nil
		srv.FailREST(http.StatusBadGateway, 1)
		require.NoError(t, get())
		require.Len(t, sendings, 2, "after a failure")
		assert.Equal(t, 2, sendings[1].Number)
		assert.Positive(t, sendings[1].Waited)

		sendings = nil
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
		rtm, err := client.NewRTM(router)
		require.NoError(t, err)
		srv.Run(t, rtm)
		assert.Equal(t, 1, others, "the WebSocket's request")
		assert.Equal(t, []crisp.Sending{{Number: 1}}, sendings, "that for the endpoint")
	})
}

func TestSendingOfAnyOtherContext(t *testing.T) {
	_, ok := crisp.SendingOf(context.Background())
	assert.False(t, ok)
}
