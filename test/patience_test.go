package test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestBackfillRepeatsWhatMayPass(t *testing.T) {
	retryAfter := func() *http.Response {
		r := reply(503, `{"error":true,"reason":"maintenance","data":{}}`)
		r.Header.Set("Retry-After", "120")
		return r
	}
	for name, bad := range map[string]func() *http.Response{
		"empty":          func() *http.Response { return reply(200, "") },
		"204":            func() *http.Response { return reply(204, "") },
		"no data":        func() *http.Response { return reply(200, `{"error":false,"reason":"resolved"}`) },
		"json of others": func() *http.Response { return reply(200, `{"status":"starting"}`) },
		"misfit":         func() *http.Response { return reply(200, `{"error":false,"reason":"listed","data":{}}`) },
		"html":           func() *http.Response { return reply(200, `<html>`) },
		"503":            retryAfter,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				hooks, _, outcomes := watch()
				var failUntil time.Time
				runVia(t, srv, func(req *http.Request) *http.Response {
					if isList(req) && time.Now().Before(failUntil) {
						return bad()
					}
					return nil
				}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v := srv.Visitor()
				outage(t, srv, func() {
					say(v, 0, 5)
					failUntil = time.Now().Add(20 * time.Second)
				})
				pass(time.Minute)
				assert.Equal(t, filled(numbers(0, 5)...), of(got.List(), v.SessionID))
				require.Len(t, outcomes.List(), 1)
				assert.True(t, outcomes.List()[0].Complete)
				assert.NoError(t, outcomes.List()[0].Err)
			})
		})
	}
}
