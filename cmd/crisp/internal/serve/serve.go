// Package serve runs a local Crisp for programs in development: crisptest's server with
// the control API mounted, and its journal shown as it grows.
package serve

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/fault"
)

// The credentials that the server accepts by default. They never change, so that a
// program finds a restarted server again. They are public, and protect nothing of value.
const (
	Identifier    = "crisp-serve"
	Key           = "no-secret-key-of-crisp-serve"
	SigningSecret = "no-secret-signing-secret-of-crisp-serve"
)

// Options say what to serve.
type Options struct {
	Addr          string
	AllowRemote   bool // the address need not be loopback
	Token         crisp.Token
	TokenGiven    bool // the user supplied Token; it must not be shown
	SigningSecret string
	SecretGiven   bool     // the user supplied SigningSecret; it must not be shown
	Websites      []string // the websites that exist; empty means any
	History       int      // how many entries of each kind are remembered
	Hooks         []control.Hook
	Faults        []fault.Fault
}

// Server is a running server.
type Server struct {
	*crisptest.Server
	options   Options
	websiteID string
}

// AddrError says that the server can't listen at an address.
type AddrError struct{ error }

// Start starts a server. The error is an AddrError if the address is to blame, but
// not if it is in use.
func Start(o Options) (*Server, error) {
	if err := checkAddr(o.Addr, o.AllowRemote); err != nil {
		return nil, AddrError{err}
	}
	srv, err := crisptest.Start(o.forServer()...)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use, perhaps by another crisp serve: choose another with --addr", o.Addr)
	}
	if err != nil {
		return nil, err
	}
	s := &Server{Server: srv, options: o, websiteID: o.WebsiteID()}
	handler, err := control.Handler(srv, control.Config{
		WebsiteID: s.websiteID,
		Hosts:     s.hosts(),
		Hooks:     o.Hooks,
		Key:       o.controlKey(),
	})
	if err != nil {
		srv.Close()
		return nil, err
	}
	srv.Handle(control.Prefix, handler)
	for _, f := range o.Faults {
		f.Apply(srv)
	}
	return s, nil
}

func (o Options) forServer() []crisptest.Option {
	opts := []crisptest.Option{
		crisptest.WithAddr(o.Addr),
		crisptest.WithSingleAddress(),
		crisptest.WithToken(o.Token),
		crisptest.WithSigningSecret(o.SigningSecret),
		crisptest.WithHistory(o.History),
		crisptest.WithJournal(o.History),
	}
	if o.AllowRemote {
		opts[0] = crisptest.WithRemoteAddr(o.Addr)
	}
	if len(o.Websites) > 0 {
		opts = append(opts, crisptest.WithWebsites(o.Websites...))
	}
	return opts
}

// WebsiteID returns the website to use where none is named.
func (o Options) WebsiteID() string {
	switch {
	case o.Token.WebsiteID() != "":
		return o.Token.WebsiteID()
	case len(o.Websites) > 0:
		return o.Websites[0]
	default:
		return crisptest.WebsiteID
	}
}

// controlKey returns the key with which other machines may control the server; empty,
// so that they may not, if the token is the public default.
func (o Options) controlKey() string {
	if o.AllowRemote && o.TokenGiven {
		return o.Token.Key
	}
	return ""
}

// hosts returns the hosts besides loopback that requests may name; nil if that can't be
// told from the address.
func (s *Server) hosts() []string {
	host, _, _ := net.SplitHostPort(s.options.Addr) // it was checked
	if host == "" || net.ParseIP(host).IsUnspecified() {
		return nil
	}
	return []string{host}
}

// checkAddr returns an error if an address is invalid, or is not loopback though remote
// is false.
func checkAddr(addr string, remote bool) error {
	host, port, err := net.SplitHostPort(addr)
	if _, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:7700", addr)
	}
	if ip := net.ParseIP(host); !remote && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not this machine alone: others could use the server, unencrypted, if --allow-remote was given", addr)
	}
	return nil
}

// Origin returns the server's URL without a path or a trailing slash.
func (s *Server) Origin() string { return strings.TrimSuffix(s.URL(), "/v1/") }

// WebsiteID returns the website to use where none is named.
func (s *Server) WebsiteID() string { return s.websiteID }
