package crisp_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestPagesWithoutNewsEndAList(t *testing.T) {
	conversations := func(ctx context.Context, c *crisp.Client) (n int, err error) {
		for _, e := range c.Conversations(ctx, "site-1", crisp.ConversationQuery{}) {
			if n, err = n+1, e; e != nil {
				n--
			}
		}
		return n, err
	}
	websites := func(ctx context.Context, c *crisp.Client) (n int, err error) {
		for _, e := range c.Websites(ctx) {
			if n, err = n+1, e; e != nil {
				n--
			}
		}
		return n, err
	}
	for name, tt := range map[string]struct {
		list  func(context.Context, *crisp.Client) (int, error)
		pages []string // then again from the first
		want  int
		route string
	}{
		"conversations": {
			conversations, []string{`[{"session_id":"session_1"},{"session_id":"session_2"}]`}, 2,
			"website/site-1/conversations/2",
		},
		"in a circle": {
			conversations, []string{`[{"session_id":"session_1"}]`, `[{"session_id":"session_2"}]`}, 2,
			"website/site-1/conversations/3",
		},
		"a part of a page comes again": {
			conversations, []string{
				`[{"session_id":"session_1"},{"session_id":"session_2"}]`,
				`[{"session_id":"session_2"},{"session_id":"session_3"}]`,
			}, 4,
			"website/site-1/conversations/3",
		},
		"without ids": {conversations, []string{`[{"private":1},{"private":2}]`}, 2, "website/site-1/conversations/2"},
		"websites":    {websites, []string{`[{"website_id":"site-1"}]`}, 1, "plugin/connect/websites/all/2"},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			requests := 0
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				require.Less(t, requests, 100, "it does not end")
				page := tt.pages[requests%len(tt.pages)]
				requests++
				return answer(200, fmt.Sprintf(`{"error":false,"reason":"listed","data":%s}`, page))(r)
			})
			n, err := tt.list(t.Context(), client)
			var unusable *crisp.AnswerError
			require.ErrorAs(t, err, &unusable)
			assert.Equal(t, tt.route, unusable.Route)
			assert.ErrorContains(t, err, "nothing that was not on one before")
			assert.NotContains(t, err.Error(), "private")
			assert.Equal(t, tt.want, n)
		})
	}
}
