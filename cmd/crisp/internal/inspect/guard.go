package inspect

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// guard lets through who may see the page: whoever has the token, from a page of this
// server or from none. A page of another origin may do nothing, also not by a name of
// its own that resolves to this machine.
type guard struct {
	hosts []string // with the port
	token string
	cross *http.CrossOriginProtection
	next  http.Handler
}

// policy lets the page do nothing but talk to this server.
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
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(tooSlow)) // if it can't be set, there is none
	if err := g.check(r); err != nil {
		fail(w, refused{err, http.StatusForbidden})
		return
	}
	g.next.ServeHTTP(w, r)
}

// tooSlow is for how long who takes nothing is waited for.
const tooSlow = 30 * time.Second

// assets is the path below which the page's own files are, which hold no data.
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
