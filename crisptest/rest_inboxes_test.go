package crisptest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

func TestInboxes(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, site := t.Context(), website(t, srv)
		team := must[string](t)(site.Teams.Create(ctx, rest.TeamInput{Name: rest.Set("Gold"), Operators: []string{"ada", "bob"}}))
		input := rest.InboxInput{
			Name: rest.Set("Gold"), Emoji: rest.Set("🔔"), Order: rest.Set(2), Operators: []string{"eve"}, Teams: []string{team, "gone"},
			Operator:   rest.Set("or"),
			Conditions: []rest.InboxConditionInput{{Model: rest.Set("session"), Criterion: rest.Set("segments"), Operator: rest.Set("eq"), Query: []string{"gold"}}},
		}
		gold := must[string](t)(site.Inboxes.Create(ctx, input))
		silver := must[string](t)(site.Inboxes.Create(ctx, rest.InboxInput{Name: rest.Set("Silver"), Order: rest.Set(1)}))

		inbox := must[*rest.Inbox](t)(site.Inboxes.Get(ctx, gold))
		assert.Empty(t, inbox.Problems)
		assert.Equal(t, gold, inbox.InboxID)
		assert.Equal(t, "Gold 🔔 2 or", fmt.Sprint(inbox.Name, " ", inbox.Emoji, " ", inbox.Order, " ", inbox.Operator))
		assert.Equal(t, []string{"eve"}, inbox.Operators)
		assert.Equal(t, []string{team, "gone"}, inbox.Teams)
		assert.Equal(t, []string{"ada", "bob"}, inbox.TeamOperators)
		require.Len(t, inbox.Conditions, 1)
		assert.Equal(t, []string{"gold"}, inbox.Conditions[0].Query)
		assert.Equal(t, int64(946684800), inbox.CreatedAt.Unix())

		order := func() (names []string) {
			for _, one := range collect(t, site.Inboxes.List(ctx)) {
				names = append(names, one.Name)
			}
			return names
		}
		assert.Equal(t, []string{"Silver", "Gold"}, order())
		require.NoError(t, site.Inboxes.Reorder(ctx, []rest.InboxOrder{
			{InboxID: rest.Set(silver), Order: rest.Set(9)}, {InboxID: rest.Set(gold), Order: rest.Set(1)},
		}))
		assert.Equal(t, []string{"Gold", "Silver"}, order())

		<-time.After(time.Minute)
		require.NoError(t, site.Inboxes.Save(ctx, gold, rest.InboxInput{Name: rest.Set("Bronze")}))
		inbox = must[*rest.Inbox](t)(site.Inboxes.Get(ctx, gold))
		assert.Equal(t, "Bronze", inbox.Name)
		assert.Empty(t, inbox.Operators, "what was not given is gone")
		assert.Equal(t, int64(946684800), inbox.CreatedAt.Unix())
		assert.Equal(t, int64(946684860), inbox.UpdatedAt.Unix())

		v, other := srv.Visitor("w"), srv.Visitor("w")
		require.NoError(t, site.Batch.MoveToInbox(ctx, rest.BatchMove{Sessions: []string{v.SessionID}, InboxID: rest.Set(gold)}))
		l := listen(t, srv)
		require.NoError(t, site.Inboxes.Delete(ctx, gold))
		assert.Equal(t, []string{fmt.Sprintf(`session:set_inbox {"inbox_id":null,"previous_inbox_id":%q,"session_id":%q,"website_id":"w"}`, gold, v.SessionID)},
			l.events(), "its conversations return to the main inbox")
		assert.Empty(t, v.Conversation().InboxID+other.Conversation().InboxID)
		assert.False(t, must[bool](t)(site.Inboxes.Has(ctx, gold)))
		assert.True(t, must[bool](t)(site.Inboxes.Has(ctx, silver)))
		assert.Equal(t, []string{"Silver"}, order())
	})
}

func TestTeams(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, teams := t.Context(), website(t, srv).Teams
	var ids []string
	for i := range 45 {
		ids = append(ids, must[string](t)(teams.Create(ctx, rest.TeamInput{Name: rest.Set(fmt.Sprint(i)), Emoji: rest.Set("📦"), Operators: []string{"ada"}})))
	}
	var listed []string
	for _, team := range collect(t, teams.List(ctx)) {
		assert.Empty(t, team.Problems)
		listed = append(listed, team.TeamID)
	}
	assert.Equal(t, ids, listed, "over all the pages")

	require.NoError(t, teams.Save(ctx, ids[3], rest.TeamInput{Name: rest.Set("Support"), Operators: []string{"bob"}}))
	team := must[*rest.Team](t)(teams.Get(ctx, ids[3]))
	assert.Equal(t, "Support", team.Name)
	assert.Equal(t, []string{"bob"}, team.Operators)
	assert.Empty(t, team.Emoji)
	require.NoError(t, teams.Delete(ctx, ids[3]))
	assert.False(t, must[bool](t)(teams.Has(ctx, ids[3])))
	assert.True(t, must[bool](t)(teams.Has(ctx, ids[4])))
	assert.Len(t, collect(t, teams.List(ctx)), 44)
}
