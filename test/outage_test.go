package test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// TestRTMConnectsWhileRESTIsAway has the connection lost while REST can't name an
// endpoint: the one that is known is still there.
func TestRTMConnectsWhileRESTIsAway(t *testing.T) {
	for name, fault := range map[string]func(*crisptest.Server){
		"503":              func(srv *crisptest.Server) { srv.FailREST(503, -1) },
		"quota":            func(srv *crisptest.Server) { srv.FailREST(http.StatusLocked, -1, 12*time.Hour) },
		"429 for a day":    func(srv *crisptest.Server) { srv.FailREST(429, -1, 24*time.Hour) },
		"404 by Crisp":     func(srv *crisptest.Server) { srv.FailREST(404, -1) },
		"403 by a gateway": func(srv *crisptest.Server) { srv.GatewayREST(403, "<html>Forbidden</html>", -1) },
		"garbage":          func(srv *crisptest.Server) { srv.GarbleREST("{", -1) },
		"no answer":        func(srv *crisptest.Server) { srv.SlowREST(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := texts()
				run(t, srv, router)
				authenticated(t, srv)
				fault(srv)
				for n := range 3 {
					srv.DropConnections()
					pass(25 * time.Second) // the endpoint is asked for, for 20 s at most
					require.Len(t, srv.Sessions(), 1, "connection %d", n)
					emit(srv, "session_a", n, n+1)
					synctest.Wait()
				}
				assert.Equal(t, numbers(0, 3), got.List())
			})
		})
	}
}

// TestRTMAsksRESTBeforeEachConnection also after a known endpoint had to do.
func TestRTMAsksRESTBeforeEachConnection(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := texts()
		var retries testkit.Log[crisp.Retrying]
		run(t, srv, router, crisp.WithHooks(crisp.Hooks{Retrying: retries.Add}))
		authenticated(t, srv)
		srv.FailREST(503, 4)
		srv.MoveEndpoint() // so that the known one is dead
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())
		assert.Len(t, srv.Requests(), 6, "one for each attempt")
		assert.ErrorContains(t, retries.List()[1].Err, "503")
		assert.ErrorContains(t, retries.List()[1].Err, "the endpoint known from before: ")
	})
}

// TestRTMBelievesRefusedCredentials by REST, though the endpoint is known, and at
// the known endpoint, though REST is away.
func TestRTMBelievesRefusedCredentials(t *testing.T) {
	for name, fault := range map[string]func(*crisptest.Server){
		"by REST":         func(srv *crisptest.Server) { srv.FailREST(401, -1) },
		"at the endpoint": func(srv *crisptest.Server) { srv.FailREST(503, -1); srv.RejectAuth() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, _ := texts()
				rtm := run(t, srv, router)
				authenticated(t, srv)
				fault(srv)
				srv.DropConnections()
				assert.ErrorIs(t, rtm.ending(t), crisp.ErrUnauthorized)
			})
		})
	}
}
