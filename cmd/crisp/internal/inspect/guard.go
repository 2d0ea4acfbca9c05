package inspect

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// guard lets through who may see what the page shows: requests to this machine by one of
// its own names, that no page of another origin has made, and that have the token where there
// is anything to see. A name that somebody has made lead to this machine is not its own.
type guard struct {
	port  string
	token string
	cross *http.CrossOriginProtection
	next  http.Handler
}

func newGuard(port, token string, next http.Handler) *guard {
	return &guard{port: port, token: token, cross: http.NewCrossOriginProtection(), next: next}
}

// policy keeps the page to itself: nothing of another origin is loaded, shown in, asked or
// run, and no text becomes a script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if why := g.refusal(r); why != "" {
		fail(w, http.StatusForbidden, why)
		return
	}
	g.next.ServeHTTP(w, r)
}

// refusal says why a request is refused; empty if it isn't.
func (g *guard) refusal(r *http.Request) string {
	switch {
	case !g.isHere(r.Host):
		return "the request names another host than this machine"
	case g.cross.Check(r) != nil, g.isForeign(r):
		return "a page of another origin has made the request"
	case !strings.HasPrefix(r.URL.Path, assets) && !g.hasToken(r):
		return "the token is missing or wrong: open the address that the command tells"
	}
	return ""
}

// isHere reports whether a host is this machine by one of its own names, at our port.
func (g *guard) isHere(host string) bool {
	name, port, err := net.SplitHostPort(host)
	return err == nil && port == g.port && (name == "127.0.0.1" || name == "::1" || strings.EqualFold(name, "localhost"))
}

// isForeign reports whether a page of another origin has made a request, of whatever
// method. A link to the page from elsewhere is no reason to refuse it.
func (g *guard) isForeign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		host, found := strings.CutPrefix(origin, "http://")
		return !found || !g.isHere(host)
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	default:
		return r.Header.Get("Sec-Fetch-Mode") != "navigate"
	}
}

// hasToken reports whether a request has the token in its URL or as Bearer.
func (g *guard) hasToken(r *http.Request) bool {
	token := r.URL.Query().Get("token")
	if bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		token = bearer
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) == 1
}
