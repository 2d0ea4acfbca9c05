package crisptest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

func TestSuggestions(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, conversations := t.Context(), website(t, srv).Conversations
	srv.Visitor("w").SetMeta(map[string]any{"segments": []string{"vip", "billing"}, "data": map[string]any{"plan": "gold", "price": 3}})
	srv.Visitor("w").SetMeta(map[string]any{"segments": []string{"vip"}, "data": map[string]any{"price": 4}})
	srv.Visitor("w2").SetMeta(map[string]any{"segments": []string{"other"}})
	segments := func() (list []string) {
		for _, one := range collect(t, conversations.Segments(ctx)) {
			list = append(list, fmt.Sprint(one.Segment, " ", one.Count))
		}
		return list
	}
	keys := func() (list []string) {
		for _, one := range collect(t, conversations.DataKeys(ctx)) {
			list = append(list, fmt.Sprint(one.Key, " ", one.Count))
		}
		return list
	}
	assert.Equal(t, []string{"vip 2", "billing 1"}, segments())
	assert.Equal(t, []string{"price 2", "plan 1"}, keys())

	require.NoError(t, conversations.ForgetSegment(ctx, "vip"))
	require.ErrorContains(t, conversations.ForgetSegment(ctx, "vip"), "segment_not_found")
	require.NoError(t, conversations.ForgetDataKey(ctx, "plan"))
	assert.Equal(t, []string{"billing 1"}, segments())
	assert.Equal(t, []string{"price 2"}, keys())
	srv.Visitor("w").SetMeta(map[string]any{"segments": []string{"vip"}})
	assert.Equal(t, []string{"vip 3", "billing 1"}, segments(), "it is used again")
}

func TestSpam(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, conversations := t.Context(), website(t, srv).Conversations
	user, plugin := listenAs(t, srv, crisp.TierUser), listenAs(t, srv, crisp.TierPlugin)
	first := srv.AddSpam("w", crisptest.Spam{Reason: "sender_reputation", Headers: map[string]any{"Subject": "You have won"}, Content: map[string]any{"text": "Click"}})
	second := srv.AddSpam("w", crisptest.Spam{Type: "chat"})
	var ids []string
	for _, one := range collect(t, conversations.Spams(ctx)) {
		assert.Empty(t, one.Problems)
		ids = append(ids, one.SpamID)
	}
	assert.Equal(t, []string{second, first}, ids, "the latest first")
	content := must[*rest.SpamContent](t)(conversations.Spam(ctx, first))
	assert.Equal(t, "email sender_reputation", content.Type+" "+content.Reason)
	assert.Equal(t, map[string]any{"text": "Click"}, content.Content)
	assert.Equal(t, map[string]any{"Subject": "You have won"}, content.Headers)

	require.NoError(t, conversations.DecideSpam(ctx, first, "reject"))
	assert.Len(t, collect(t, conversations.Spams(ctx)), 1)
	events := user.events()
	require.Len(t, events, 3)
	assert.Contains(t, events[0], `spam:message {"headers":{"Subject":"You have won"},"metadata":null,"reason":"sender_reputation","spam_id":"`+first)
	assert.Equal(t, `spam:decision {"action":"reject","spam_id":"`+first+`","website_id":"w"}`, events[2])
	assert.Empty(t, plugin.events(), "it is for users only")
	assert.Panics(t, func() { srv.AddSpam("w", crisptest.Spam{Metadata: map[string]any{"f": func() {}}}) })
}
