package chaos

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// middlebox is the client's HTTP transport: what stands between the program and
// Crisp, may answer in Crisp's place, and sees what is asked.
type middlebox struct {
	next   http.RoundTripper
	ledger *ledger

	mu       sync.Mutex // guards what follows
	says     *foreign   // instead of Crisp; nil = nothing
	left     int        // how many more times; negative = until it is told otherwise
	rest     bool       // to REST calls
	upgrades bool       // to WebSocket handshakes
}

// foreign is an answer that is not Crisp's.
type foreign struct {
	status int
	header http.Header
	body   string
	cut    bool // it is Crisp's, but breaks off in the middle
}

const (
	html     = "<!DOCTYPE html><html><body>Please wait</body></html>"
	portal   = "portal.invalid"
	portals  = "http://" + portal + "/login"
	noAnswer = ""
)

// foreigners are what is seen of gateways, proxies and captive portals.
var foreigners = []foreign{
	{status: http.StatusBadGateway, body: html},
	{status: http.StatusServiceUnavailable, body: html, header: http.Header{"Retry-After": {"1"}}},
	{status: http.StatusGatewayTimeout, body: html},
	{status: http.StatusGatewayTimeout, body: noAnswer},
	{status: http.StatusOK, body: html},
	{status: http.StatusOK, body: noAnswer},
	{status: http.StatusOK, body: "{}"},
	{status: http.StatusOK, body: "null"},
	{status: http.StatusOK, body: "[]"},
	{status: http.StatusOK, body: `{"error":false,"reason":"listed","data":[{"sess`},
	{status: http.StatusOK, body: `{"status":"ok"}`},
	{status: http.StatusPartialContent, cut: true},
	{status: http.StatusOK, cut: true},
	{status: http.StatusNoContent, body: noAnswer},
	{status: http.StatusMovedPermanently, body: html, header: http.Header{"Location": {portals}}},
	{status: http.StatusFound, body: noAnswer, header: http.Header{"Location": {portals}}},
	{status: http.StatusTemporaryRedirect, body: noAnswer, header: http.Header{"Location": {"/"}}},
	{status: http.StatusNotModified, body: noAnswer},
	{status: http.StatusUnauthorized, body: html, header: http.Header{"Www-Authenticate": {"Basic"}}},
	{status: http.StatusUnauthorized, body: `{"message":"Unauthorized"}`},
	{status: http.StatusForbidden, body: html},
	{status: http.StatusForbidden, body: `{"message":"Forbidden"}`},
	{status: http.StatusNotFound, body: "404 page not found"},
	{status: http.StatusNotFound, body: "{}"},
	{status: http.StatusProxyAuthRequired, body: html, header: http.Header{"Proxy-Authenticate": {"Basic"}}},
	{status: http.StatusMisdirectedRequest, body: noAnswer},
	{status: http.StatusTooManyRequests, body: html},
}

func (m *middlebox) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == portal { // whoever follows a redirect
		return m.respond(req, &foreign{status: http.StatusOK, body: html})
	}
	upgrade := req.Header.Get("Upgrade") != ""
	if !upgrade {
		defer m.ledger.asks(req.URL.Path)()
	}
	says := m.take(upgrade)
	switch {
	case says == nil:
		return m.next.RoundTrip(req)
	case says.cut && !upgrade:
		resp, err := m.next.RoundTrip(req)
		if err == nil {
			resp.Body = &cutBody{ReadCloser: resp.Body, left: max(1, resp.ContentLength/2)}
		}
		return resp, err
	}
	return m.respond(req, says)
}

// take returns what to say to a request instead of Crisp, nil for nothing.
func (m *middlebox) take(upgrade bool) *foreign {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.says == nil || m.left == 0 || upgrade && !m.upgrades || !upgrade && !m.rest {
		return nil
	}
	m.left--
	return m.says
}

func (m *middlebox) respond(req *http.Request, says *foreign) (*http.Response, error) {
	header := says.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	// Nobody has set its clock.
	header.Set("Date", time.Now().Add(-100*24*time.Hour).UTC().Format(http.TimeFormat))
	return &http.Response{
		StatusCode:    says.status,
		Status:        http.StatusText(says.status),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(says.body)),
		ContentLength: int64(len(says.body)),
		Request:       req,
	}, nil
}

// answer lets it answer from now on, so many times.
func (m *middlebox) answer(says foreign, times int, rest, upgrades bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.says, m.left, m.rest, m.upgrades = &says, times, rest, upgrades
}

// stepAside lets everything through.
func (m *middlebox) stepAside() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.says = nil
}

// cutBody is a body that breaks off.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
