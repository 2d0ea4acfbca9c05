package crisp_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestConnectEndpointsOfEachTier(t *testing.T) {
	for route, token := range map[string]crisp.Token{
		"plugin/connect/endpoints":            crisp.PluginToken("id", testKey),
		"user/connect/endpoints":              crisp.UserToken("id", testKey),
		"website/w-1/connect/endpoints":       crisp.WebsiteToken("w-1", "id", testKey),
		"website/w%2F..%3F/connect/endpoints": crisp.WebsiteToken("w/..?", "id", testKey),
	} {
		t.Run(route, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			client, err := crisp.New(token, crisp.WithHTTPClient(&http.Client{Transport: mock}))
			require.NoError(t, err)
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				assert.Equal(t, "GET", r.Method)
				assert.Equal(t, testAPI+route, r.URL.String())
				assert.Equal(t, string(token.Tier), r.Header.Get("X-Crisp-Tier"))
				return httpmock.NewStringResponse(200, `{"error":false,"reason":"resolved","data":{
					"socket":{"app":"https://app.relay.example:8443/w/e10/","stream":"https://stream.relay.example/"},
					"rescue":{"socket":{"app":"https://app.rescue.example/w/e10/"}}}}`), nil
			})
			got, err := client.ConnectEndpoints(t.Context())
			require.NoError(t, err)
			assert.Equal(t, &crisp.Endpoints{
				Socket: crisp.SocketEndpoints{App: "https://app.relay.example:8443/w/e10/", Stream: "https://stream.relay.example/"},
				Rescue: crisp.RescueEndpoints{Socket: crisp.SocketEndpoints{App: "https://app.rescue.example/w/e10/"}},
			}, got)
		})
	}
}

func TestWhatElseComesWithAnEndpointMayBeAnything(t *testing.T) {
	for _, rest := range []string{`"rescue":[]`, `"rescue":{"socket":[]}`, `"rescue":{"socket":{"app":7}}`, `"rescue":null`} {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(200, `{"error":false,"data":{"socket":{"app":"https://rtm.example/","stream":false},`+rest+`}}`))
		got, err := client.ConnectEndpoints(t.Context())
		require.NoError(t, err, rest)
		assert.Equal(t, &crisp.Endpoints{Socket: crisp.SocketEndpoints{App: "https://rtm.example/"}}, got, rest)
	}
}

func TestEndpointsThatCanBeConnectedTo(t *testing.T) {
	for _, app := range []string{
		"https://rtm.example", "https://rtm.example/path/", "wss://rtm.example:444/path/",
		"http://localhost:1/", "ws://127.0.0.1:1/path/", "ws://[::1]:1/",
	} {
		client, mock := mockedClient(t, crisp.WithBaseURL("http://127.0.0.1:1/v1/"))
		mock.RegisterNoResponder(answer(200, `{"error":false,"data":{"socket":{"app":"`+app+`"}}}`))
		got, err := client.ConnectEndpoints(t.Context())
		require.NoError(t, err, app)
		assert.Equal(t, &crisp.Endpoints{Socket: crisp.SocketEndpoints{App: app}}, got)
	}
}

func TestEndpointsThatCannot(t *testing.T) {
	for name, tt := range map[string]struct {
		data, says string
		matching   error
	}{
		"no data":         {data: `{}`, says: "socket.app: missing"},
		"null":            {data: `null`, says: "data: wanted object, got null"},
		"no socket":       {data: `{"rescue":{"socket":{"app":"https://rtm.example/"}}}`, says: "socket.app: missing"},
		"no app":          {data: `{"socket":{"stream":"https://rtm.example/"}}`, says: "socket.app: missing"},
		"null app":        {data: `{"socket":{"app":null}}`, says: "socket.app: missing"},
		"empty app":       {data: `{"socket":{"app":""}}`, says: "socket.app: missing"},
		"no URL":          {data: `{"socket":{"app":"https://rtm example:x/"}}`, says: "socket.app: not an absolute URL"},
		"host alone":      {data: `{"socket":{"app":"rtm.example"}}`, says: "socket.app: not an absolute URL"},
		"path alone":      {data: `{"socket":{"app":"/socket.io/"}}`, says: "socket.app: not an absolute URL"},
		"other scheme":    {data: `{"socket":{"app":"ftp://rtm.example/"}}`, says: `socket.app: the URL of host "rtm.example" has the scheme "ftp", not https`},
		"other type":      {data: `{"socket":{"app":7}}`, says: "socket.app: wanted string, got number"},
		"list":            {data: `[]`, says: "data: wanted object, got array"},
		"without TLS":     {data: `{"socket":{"app":"http://rtm.example/"}}`, matching: crisp.ErrInsecure, says: "socket.app: " + crisp.ErrInsecure.Error() + ": http://rtm.example"},
		"ws without TLS":  {data: `{"socket":{"app":"ws://rtm.example/"}}`, matching: crisp.ErrInsecure, says: "socket.app: " + crisp.ErrInsecure.Error() + ": ws://rtm.example"},
		"loopback's twin": {data: `{"socket":{"app":"http://localhost.example/"}}`, matching: crisp.ErrInsecure, says: "socket.app: " + crisp.ErrInsecure.Error() + ": http://localhost.example"},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, `{"error":false,"data":`+tt.data+`}`))
			_, err := client.ConnectEndpoints(t.Context())
			var got *crisp.AnswerError
			require.ErrorAs(t, err, &got)
			assert.EqualError(t, err, "crisp: GET plugin/connect/endpoints: status 200: "+tt.says)
			if tt.matching != nil {
				assert.ErrorIs(t, err, tt.matching)
			}
		})
	}
}

func TestConnectEndpointsPassesRefusalsOn(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(401, `{"error":true,"reason":"invalid_session"}`))
	_, err := client.ConnectEndpoints(t.Context())
	require.ErrorIs(t, err, crisp.ErrUnauthorized)
}

func TestAnUnusableRescueDoesNotCostTheConnection(t *testing.T) {
	for _, rescue := range []string{`"ftp://rtm.example/"`, `"ws://rtm.example/"`, `"nonsense"`} {
		var out bytes.Buffer
		client, mock := mockedClient(t, crisp.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
		mock.RegisterNoResponder(answer(200, `{"data":{"socket":{"app":"https://rtm.example/"},"rescue":{"socket":{"app":`+rescue+`}}}}`))
		got, err := client.ConnectEndpoints(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "https://rtm.example/", got.Socket.App)
		assert.Empty(t, got.Rescue.Socket.App)
		assert.Contains(t, out.String(), "rescue endpoint is left out")
	}
}

func TestNewRTMRefusesWhatCanNotWork(t *testing.T) {
	client, err := crisp.New(crisp.PluginToken("id", "key"))
	require.NoError(t, err)
	on := func(register func(*crisp.Router)) *crisp.Router {
		r := crisp.NewRouter()
		register(r)
		return r
	}
	send := on(func(r *crisp.Router) {
		crisp.On(r, func(context.Context, *crisp.MessageSend) error { return nil })
	})
	tests := []struct {
		name   string
		router *crisp.Router
		opts   []crisp.RTMOption
		says   string
	}{
		{"no router", nil, nil, "router"},
		{"no handlers", crisp.NewRouter(), nil, "no handlers"},
		{"an event of another tier", on(func(r *crisp.Router) {
			crisp.On(r, func(context.Context, *crisp.CampaignRunning) error { return nil })
		}), nil, `plugin token can't receive "campaign:running"`},
		{"a filter with an event of another tier", send, []crisp.RTMOption{
			crisp.WithFilter(crisp.Filter{Events: []string{"status:health:changed"}}),
		}, "status:health:changed"},
		{"an empty room", send, []crisp.RTMOption{crisp.WithFilter(crisp.Filter{Rooms: []string{"a", ""}})}, "Rooms[1]"},
		{"no lanes", send, []crisp.RTMOption{crisp.WithConcurrency(0)}, "WithConcurrency"},
		{"no queue", send, []crisp.RTMOption{crisp.WithQueue(0, crisp.OverflowBlock)}, "WithQueue"},
		{"unknown overflow", send, []crisp.RTMOption{crisp.WithQueue(1, 7)}, "overflow"},
		{"no backoff", send, []crisp.RTMOption{crisp.WithBackoff(nil)}, "WithBackoff"},
		{"Engine.IO 2", send, []crisp.RTMOption{crisp.WithEngineIO(2)}, "3 or 4"},
		{"tiny frames", send, []crisp.RTMOption{crisp.WithReadLimit(1)}, "WithReadLimit"},
		{"no time", send, []crisp.RTMOption{crisp.WithConnectTimeout(0)}, "WithConnectTimeout"},
		{"no store", send, []crisp.RTMOption{crisp.WithPosition(nil)}, "WithPosition"},
		{"backfill without messages", on(func(r *crisp.Router) {
			crisp.On(r, func(context.Context, *crisp.SessionRemoved) error { return nil })
		}), []crisp.RTMOption{crisp.WithBackfill(crisp.Backfill{})}, "message:send"},
		{"negative backfill", send, []crisp.RTMOption{crisp.WithBackfill(crisp.Backfill{Overlap: -1})}, "negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.NewRTM(tt.router, tt.opts...)
			assert.ErrorContains(t, err, tt.says)
		})
	}
}
