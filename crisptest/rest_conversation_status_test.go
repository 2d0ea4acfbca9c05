package crisptest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// Each step is a call, and the events that RTM sessions receive.
func TestConversationStatus(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, v := t.Context(), srv.Visitor("w")
		in := website(t, srv).Conversation(v.SessionID)
		l := listen(t, srv)
		const operator = `"operator":{"nickname":"crisptest","user_id":"a4815c3b-7f20-4e96-8d1b-52c9e06fa374"}`
		participants := func(targets ...string) rest.ParticipantsChange {
			change := rest.ParticipantsChange{Participants: []rest.ParticipantInput{}}
			for _, target := range targets {
				change.Participants = append(change.Participants, rest.ParticipantInput{Type: rest.Set("email"), Target: rest.Set(target)})
			}
			return change
		}
		for _, step := range []struct {
			name   string
			do     func() error
			events []string
		}{
			{"open", func() error { return in.SetOpen(ctx, true) }, []string{`session:set_opened {` + operator + `,` + chat + `}`}},
			{"close", func() error { return in.SetOpen(ctx, false) }, []string{`session:set_closed {` + operator + `,` + chat + `}`}},
			{"participants", func() error { return in.SaveParticipants(ctx, participants("b@nova.example")) },
				[]string{`session:set_participants {"participants":[{"target":"b@nova.example","type":"email"}],` + chat + `}`}},
			{"the same participants", func() error { return in.SaveParticipants(ctx, participants("b@nova.example")) }, nil},
			{"no participants", func() error { return in.SaveParticipants(ctx, participants()) },
				[]string{`session:set_participants {"participants":[],` + chat + `}`}},
			{"block", func() error { return in.SetBlocked(ctx, rest.BlockChange{Blocked: true}) }, []string{`session:set_block {"is_blocked":true,` + chat + `}`}},
			{"block again", func() error { return in.SetBlocked(ctx, rest.BlockChange{Blocked: true}) }, nil},
			{"say while blocked", func() error { v.Say("Buy!"); return nil }, nil},
			{"unblock", func() error { return in.SetBlocked(ctx, rest.BlockChange{}) }, []string{`session:set_block {"is_blocked":false,` + chat + `}`}},
			{"transcript", func() error { return in.SendTranscript(ctx, rest.TranscriptRequest{To: "operator"}) }, nil},
			{"purge", func() error { return in.Purge(ctx) }, nil},
			{"feedback", func() error { return in.RequestFeedback(ctx) }, nil},
			{"report", func() error { return in.Report(ctx, "spam") }, nil},
			{"remind", func() error { return in.Remind(ctx, rest.Reminder{Date: time.Unix(2e9, 0), Note: "Phone back."}) }, nil},
		} {
			require.NoError(t, step.do(), step.name)
			assert.Equal(t, sorted(t, step.events), l.events(), step.name)
		}
	})
}

func TestConversationStatusIsRead(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, v := t.Context(), srv.Visitor("w")
		client := clientOf(t, srv, crisp.TierUser)
		in := rest.Website(client, "w").Conversation(v.SessionID)
		require.NoError(t, in.SaveParticipants(ctx, rest.ParticipantsChange{
			Participants: []rest.ParticipantInput{{Type: rest.Set("email"), Target: rest.Set("b@nova.example")}},
		}))
		require.NoError(t, in.SetBlocked(ctx, rest.BlockChange{Blocked: true}))
		assert.Zero(t, v.Say("Buy!").Fingerprint)
		assert.True(t, must[*rest.BlockInfo](t)(in.Blocked(ctx)).Blocked)
		list := must[*rest.ParticipantList](t)(in.Participants(ctx))
		require.Len(t, list.Participants, 1)
		assert.Equal(t, "b@nova.example", list.Participants[0].Target)
		c, err := client.Conversation(ctx, v.Session())
		require.NoError(t, err)
		assert.True(t, c.Blocked)
		require.Len(t, c.Participants, 1)
		assert.Empty(t, v.Conversation().Messages)
		assert.Empty(t, must[*rest.Relations](t)(in.Relations(ctx)).Conversations.Children)

		require.NoError(t, in.Remind(ctx, rest.Reminder{Date: time.Unix(2e9, 0), Note: "Phone back."}))
		reminders := v.Conversation().Reminders
		require.Len(t, reminders, 1)
		assert.Equal(t, "Phone back.", reminders[0].Note)
		assert.True(t, time.Unix(2e9, 0).Equal(reminders[0].Due))
		for range 100 {
			require.NoError(t, in.Remind(ctx, rest.Reminder{Date: time.Unix(2e9, 0), Note: "Again."}))
		}
		assert.Len(t, v.Conversation().Reminders, 100)
		assert.Equal(t, "Again.", v.Conversation().Reminders[0].Note)
	}, crisptest.WithHeartbeat(time.Hour, time.Hour))
}

func TestEventsAndFilesOfAConversation(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, v := t.Context(), srv.Visitor("w")
		in := website(t, srv).Conversation(v.SessionID)
		l := listen(t, srv)
		v.Trigger("bought", map[string]any{"price": 3})
		assert.Equal(t, sorted(t, []string{`session:sync:events {"events":[{"text":"bought","data":{"price":3},"timestamp":946684800000}],` + chat + `}`}), l.events())
		for i := range 120 {
			v.Trigger(fmt.Sprint(i), nil)
		}
		events := collect(t, in.Events(ctx))
		require.Len(t, events, 100, "the latest, over all the pages")
		assert.Empty(t, events[0].Problems)
		assert.Equal(t, "119", events[0].Text)
		assert.Equal(t, int64(946684800), events[0].Timestamp.Unix())

		v.Say("Look:")
		var sent []crisptest.Message
		for _, name := range []string{"a.png", "b.png"} {
			sent = append(sent, v.Send("file", &crisp.FileContent{Name: name, URL: "https://nova.example/" + name, Type: "image/png"}))
		}
		files := collect(t, in.Files(ctx))
		require.Len(t, files, 2)
		assert.Empty(t, files[0].Problems)
		assert.Equal(t, "b.png image/png https://nova.example/b.png", files[0].Name+" "+files[0].Type+" "+files[0].URL)
		assert.Equal(t, sent[1].Fingerprint, files[0].Fingerprint)
		assert.Equal(t, sent[1].Timestamp, files[0].Timestamp.UnixMilli())

		assert.Panics(t, func() { v.Trigger("x", map[string]any{"f": func() {}}) })
	})
}

func TestBrowsingAndCalls(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, v := t.Context(), srv.Visitor("w")
	v.SetMeta(map[string]any{"device": map[string]any{"system": map[string]any{"useragent": "Mozilla"}}})
	in := website(t, srv).Conversation(v.SessionID)
	l := listen(t, srv)

	require.NoError(t, in.StartBrowsing(ctx))
	require.NoError(t, in.StartBrowsing(ctx))
	browsings := must[[]*rest.Browsing](t)(in.Browsings(ctx))
	require.Len(t, browsings, 2)
	assert.Equal(t, "Mozilla", browsings[0].Useragent)
	id := browsings[0].BrowsingID
	assert.Equal(t, fmt.Sprintf(`browsing:request:initiated {"browsing_id":%q,"browsing_token":%q,%s}`, id, browsings[0].BrowsingToken, chat), l.events()[0])
	require.NoError(t, in.ControlBrowsing(ctx, id, "start"))
	require.NoError(t, in.AssistBrowsing(ctx, id, rest.BrowsingAssistance{
		Action: rest.Set("mouse"), Mouse: &rest.ScreenPoint{X: rest.Set(0), Y: rest.Set(120)},
	}))
	v.RejectBrowsing()
	events := l.events()
	require.Len(t, events, 2)
	assert.Equal(t, fmt.Sprintf(`browsing:request:rejected {"browsing_id":%q,%s}`, id, chat), events[0])
	assert.Empty(t, must[[]*rest.Browsing](t)(in.Browsings(ctx)))
	require.Error(t, in.ControlBrowsing(ctx, id, "start"))

	first := must[string](t)(in.StartCall(ctx, rest.CallRequest{Mode: "audio"}))
	callID := must[string](t)(in.StartCall(ctx, rest.CallRequest{Mode: "video"}))
	assert.NotEqual(t, first, callID)
	assert.Equal(t, callID, must[string](t)(in.Call(ctx)))
	require.NoError(t, in.SignalCall(ctx, callID, rest.CallSignal{Type: rest.Set("sdp"), Payload: map[string]any{}}))
	require.NoError(t, in.AbortCall(ctx, callID, rest.CallAbort{}))
	_, err := in.Call(ctx)
	require.ErrorContains(t, err, "call_not_found")
	l.events()
	v.RejectCall()
	assert.Empty(t, l.events(), "there is none")
	callID = must[string](t)(in.StartCall(ctx, rest.CallRequest{Mode: "audio"}))
	v.RejectCall()
	assert.Equal(t, []string{
		fmt.Sprintf(`call:request:initiated {"call_id":%q,%s}`, callID, chat), fmt.Sprintf(`call:request:rejected {"call_id":%q,%s}`, callID, chat),
	}, l.events())
}
