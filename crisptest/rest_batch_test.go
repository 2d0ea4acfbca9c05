package crisptest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// Each step changes the first two of three conversations, and sends the events of
// both.
func TestBatch(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, batch := t.Context(), website(t, srv).Batch
		one, two, three := srv.Visitor("w"), srv.Visitor("w"), srv.Visitor("w")
		elsewhere := srv.Visitor("w2")
		sessions := []string{two.SessionID, one.SessionID, "session_unknown", elsewhere.SessionID}
		for _, v := range []*crisptest.Visitor{one, two, three, elsewhere} {
			v.Say("Hello")
		}
		l := listen(t, srv)
		ids := func(v *crisptest.Visitor) string { return `"session_id":"` + v.SessionID + `","website_id":"w"` }
		conversations := rest.BatchConversations{Sessions: sessions}
		for _, step := range []struct {
			name  string
			do    func() error
			event string // before the members that identify the conversation
		}{
			{"resolve", func() error { return batch.Resolve(ctx, conversations) }, `session:set_state {"state":"resolved",`},
			{"resolve again", func() error { return batch.Resolve(ctx, conversations) }, ""},
			{"unresolve", func() error { return batch.Unresolve(ctx, conversations) }, `session:set_state {"state":"unresolved",`},
			{"block", func() error { return batch.Block(ctx, sessions, true) }, `session:set_block {"is_blocked":true,`},
			{"assign", func() error {
				return batch.Assign(ctx, rest.BatchAssignment{Sessions: sessions, Assigned: &rest.BatchAssignedTo{UserID: "ada"}})
			}, `session:set_routing {"routing_id":"ada","previous_routing_id":null,`},
			{"unassign", func() error { return batch.Assign(ctx, rest.BatchAssignment{Sessions: sessions}) },
				`session:set_routing {"routing_id":null,"previous_routing_id":"ada",`},
			{"data", func() error { return batch.UpdateConversationsData(ctx, sessions, map[string]any{"plan": "gold"}) },
				`session:set_data {"data":{"plan":"gold"},`},
			{"more data", func() error { return batch.UpdateConversationsData(ctx, sessions, map[string]any{"price": 3}) },
				`session:set_data {"data":{"plan":"gold","price":3},`},
			{"segments", func() error { return batch.UpdateConversationsSegments(ctx, sessions, []string{"vip"}) },
				`session:set_segments {"segments":["vip"],`},
			{"report", func() error { _, err := batch.Report(ctx, sessions, "spam"); return err }, ""},
			{"move", func() error {
				return batch.MoveToInbox(ctx, rest.BatchMove{Sessions: sessions, InboxID: rest.Set("i")})
			},
				`session:set_inbox {"previous_inbox_id":null,"inbox_id":"i",`},
			{"move back", func() error { return batch.MoveToInbox(ctx, rest.BatchMove{Sessions: sessions}) },
				`session:set_inbox {"previous_inbox_id":"i","inbox_id":null,`},
		} {
			require.NoError(t, step.do(), step.name)
			var want []string
			if step.event != "" {
				want = sorted(t, []string{step.event + ids(one) + "}", step.event + ids(two) + "}"})
			}
			assert.Equal(t, want, l.events(), step.name)
		}

		require.NoError(t, batch.MarkRead(ctx, conversations))
		require.Len(t, l.events(), 2)
		assert.Zero(t, one.Conversation().Unread.Operator+two.Conversation().Unread.Operator)
		require.NoError(t, batch.MarkUnread(ctx, conversations))
		require.Len(t, l.events(), 2)
		assert.Equal(t, 2, one.Conversation().Unread.Operator+two.Conversation().Unread.Operator)

		require.NoError(t, batch.RemoveConversations(ctx, conversations))
		assert.Equal(t, sorted(t, []string{`session:removed {` + ids(one) + `}`, `session:removed {` + ids(two) + `}`}), l.events())
		_, there := srv.Conversation("w", one.SessionID)
		assert.False(t, there)
		c := three.Conversation()
		assert.Equal(t, "pending", c.State)
		assert.Empty(t, c.Assigned+c.InboxID)
		assert.False(t, c.Blocked)
		assert.Equal(t, "pending", elsewhere.Conversation().State, "of another website")
	})
}

// Without a list, a batch is of an inbox.
func TestBatchOfAnInbox(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, batch := t.Context(), website(t, srv).Batch
	inside, outside := srv.Visitor("w"), srv.Visitor("w")
	require.NoError(t, batch.MoveToInbox(ctx, rest.BatchMove{Sessions: []string{inside.SessionID}, InboxID: rest.Set("i")}))
	require.NoError(t, batch.Resolve(ctx, rest.BatchConversations{InboxID: rest.Set("i")}))
	assert.Equal(t, "resolved", inside.Conversation().State)
	assert.Equal(t, "pending", outside.Conversation().State)

	answer := call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodPatch, "website/w/batch/resolve", `{"inbox_id":null,"sessions":["`+outside.SessionID+`"]}`)
	assert.Equal(t, http.StatusOK, answer.Status)
	assert.Equal(t, "resolved", outside.Conversation().State)
}
