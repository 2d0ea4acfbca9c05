package test

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// REST heeds no number of a page, or goes round in a circle: what is further back
// than the first pages can't be found, and must not be told recovered.
func TestBackfillOfPagesThatRepeat(t *testing.T) {
	number := regexp.MustCompile(`/conversations/\d+$`)
	for name, instead := range map[string]func(asked string) string{
		"always the first": func(string) string { return "1" },
		"two pages in a ring": func(asked string) string {
			return map[bool]string{true: "1", false: "2"}[(asked[len(asked)-1]-'0')%2 == 1]
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				all := visitors(srv, 130) // three pages
				router, got := conversations()
				hooks, _, outcomes := watch()
				runVia(t, srv, func(req *http.Request) *http.Response {
					if isList(req) {
						req.URL.Path = number.ReplaceAllString(req.URL.Path, "/conversations/"+instead(req.URL.Path))
					}
					return nil
				}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				outage(t, srv, func() {
					for _, v := range all {
						pass(time.Millisecond)
						v.Say("0")
					}
				})
				pass(time.Minute)
				require.Len(t, outcomes.List(), 1, "it ends")
				outcome := outcomes.List()[0]
				assert.False(t, outcome.Complete)
				assert.ErrorContains(t, outcome.Err, "not heeded")
				assert.Equal(t, filled("0"), of(got.List(), all[129].SessionID), "what was listed is recovered")
				assert.LessOrEqual(t, outcome.Requests, 2*outcome.Conversations+10)
			})
		})
	}
}
