package inspect

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// guard lets a request through if it has the token and comes from this server's page or
// from no page. Pages of other origins are refused, also if their own host name resolves
// to this machine (DNS rebinding).
type guard struct {
	hosts []string // with the port
	token string
	cross *http.CrossOriginProtection
	next  http.Handler
}

// policy is the Content-Security-Policy: the page can only talk to this server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cache-Control":                "no-store",
	} {
		w.Header().Set(name, value)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(tooSlow)) // best effort
	if err := g.check(r); err != nil {
		fail(w, refused{err, http.StatusForbidden})
		return
	}
	g.next.ServeHTTP(w, r)
}

// tooSlow is how long a write waits for a client that does not read.
const tooSlow = 30 * time.Second

// assets is the path of the page's own files. They hold no data, so need no token.
const assets = "/assets/"

func (g *guard) check(r *http.Request) error {
	switch {
	case !slices.Contains(g.hosts, r.Host):
		return errors.New("the host that the request names is not this server")
	case !g.isOwn(r):
		return errors.New("a page of another origin may not do this")
	case !strings.HasPrefix(r.URL.Path, assets) && !g.hasToken(r):
		return errors.New("the token is missing, or not the one of this machine: open the URL that the command has told")
	}
	return nil
}

// isOwn reports whether a request comes from no page, or from this server's.
func (g *guard) isOwn(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if origin != "http://"+r.Host {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default: // a link may lead to the page from anywhere
		isLink := r.Method == http.MethodGet && r.URL.Path == "/" &&
			r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
		if !isLink {
			return false
		}
	}
	return g.cross.Check(r) == nil
}

func (g *guard) hasToken(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = r.URL.Query().Get("token")
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) == 1
}
