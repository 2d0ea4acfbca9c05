package crisptest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// restAnswer is the answer of any REST route.
type restAnswer struct {
	Status  int             `json:"-"`
	Header  http.Header     `json:"-"`
	IsError bool            `json:"error"`
	Reason  string          `json:"reason"`
	Data    json.RawMessage `json:"data"`
}

// call makes a REST call as any SDK makes it.
func call(t *testing.T, srv *crisptest.Server, token crisp.Token, method, path, body string) restAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	r.SetBasicAuth(token.Identifier, token.Key)
	r.Header.Set("X-Crisp-Tier", string(token.Tier))
	return do(t, srv, r)
}

func do(t *testing.T, srv *crisptest.Server, r *http.Request) restAnswer {
	t.Helper()
	resp, err := srv.HTTPClient().Do(r)
	require.NoError(t, err)
	defer func() { assert.NoError(t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	answer := restAnswer{Status: resp.StatusCode, Header: resp.Header}
	if r.Method != http.MethodHead {
		require.NoError(t, json.Unmarshal(body, &answer), "%s", body)
	}
	return answer
}

// endpoint returns the RTM endpoint that REST returns.
func endpoint(t *testing.T, srv *crisptest.Server) string {
	t.Helper()
	answer := call(t, srv, srv.TokenFor(crisp.TierPlugin), http.MethodGet, "plugin/connect/endpoints", "")
	require.Equal(t, http.StatusOK, answer.Status, answer.Reason)
	var data struct{ Socket struct{ App string } }
	require.NoError(t, json.Unmarshal(answer.Data, &data))
	return data.Socket.App
}

// rawClient is a bare Engine.IO client, which shows the tests each frame.
type rawClient struct {
	t  *testing.T
	ws *websocket.Conn
}

// upgrade makes only the WebSocket handshake, and returns the status of the
// answer, 0 if there was none.
func upgrade(t *testing.T, srv *crisptest.Server, url string) (ws *websocket.Conn, status int, err error) {
	t.Helper()
	ws, resp, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: srv.HTTPClient()})
	if resp != nil {
		status = resp.StatusCode
	}
	return ws, status, err
}

// dial opens a WebSocket, on which no frame has been exchanged yet.
func dial(t *testing.T, srv *crisptest.Server, query string) *rawClient {
	t.Helper()
	ws, _, err := upgrade(t, srv, endpoint(t, srv)+query)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &rawClient{t: t, ws: ws}
}

const (
	eio4 = "?EIO=4&transport=websocket"
	eio3 = "?EIO=3&transport=websocket"
)

// connect dials and makes the Socket.IO connection.
func connect(t *testing.T, srv *crisptest.Server, query string) *rawClient {
	t.Helper()
	c := dial(t, srv, query)
	require.True(t, strings.HasPrefix(c.read(), "0{"))
	if query == eio4 {
		c.write("40")
	}
	require.True(t, strings.HasPrefix(c.read(), "40"))
	return c
}

// authenticate connects and authenticates with further members of the
// payload, such as `"events":["message:send"]`.
func authenticate(t *testing.T, srv *crisptest.Server, token crisp.Token, members string) *rawClient {
	t.Helper()
	c := connect(t, srv, eio4)
	c.write(authentication(token, members))
	require.Equal(t, `42["authenticated",true]`, c.read())
	return c
}

func authentication(token crisp.Token, members string) string {
	if members != "" {
		members = "," + members
	}
	return `42["authentication",{"tier":"` + string(token.Tier) + `","username":"` + token.Identifier +
		`","password":"` + token.Key + `"` + members + `}]`
}

func (c *rawClient) write(frame string) {
	c.t.Helper()
	require.NoError(c.t, c.ws.Write(c.t.Context(), websocket.MessageText, []byte(frame)))
}

func (c *rawClient) read() string {
	c.t.Helper()
	_, data, err := c.ws.Read(c.t.Context())
	require.NoError(c.t, err)
	return string(data)
}

// readEnd reads until the connection ends, and returns the frames before that and
// the error that ended it.
func (c *rawClient) readEnd() (frames []string, err error) {
	for {
		_, data, err := c.ws.Read(c.t.Context())
		if err != nil {
			return frames, err
		}
		frames = append(frames, string(data))
	}
}

// readTo returns the frames before the given one.
func (c *rawClient) readTo(last string) (before []string) {
	c.t.Helper()
	for {
		frame := c.read()
		if frame == last {
			return before
		}
		before = append(before, frame)
	}
}
