package control

import (
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guard decides who may drive the server. Web pages may not, neither by cross-origin
// requests nor by a host name that resolves to this machine (DNS rebinding). Requests
// from this machine need no key, so that users don't send theirs to any address they are
// given; requests from other machines need the server's key.
type guard struct {
	hosts []string // besides loopback, the hosts that a request may name without the key
	key   string
	cross *http.CrossOriginProtection
	next  http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := g.check(r); err != nil {
		fail(w, http.StatusForbidden, err)
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) check(r *http.Request) error {
	if !isLoopback(hostOf(r.RemoteAddr)) && !g.hasKey(r) {
		return errors.New("from another machine this needs the header Authorization: Bearer, with the key that the server was given")
	}
	if host := hostOf(r.Host); !isLoopback(host) && !slices.Contains(g.hosts, host) && !g.hasKey(r) {
		return errors.New("the host that the request names is not this machine")
	}
	if err := g.cross.Check(r); err != nil {
		return errors.New("a page of another origin may not do this")
	}
	return nil
}

func (g *guard) hasKey(r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && g.key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(g.key)) == 1
}

// hostOf returns the host of an address, with or without a port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return strings.Trim(addr, "[]")
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
