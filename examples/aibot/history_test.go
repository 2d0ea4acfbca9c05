package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// historyOf returns what the model gets to read to answer a visitor's last message.
func historyOf(t *testing.T, srv *crisptest.Server, v *crisptest.Visitor) []chatMessage {
	t.Helper()
	messages := v.Conversation().Messages
	last := messages[len(messages)-1]
	chat, err := (&bot{client: srv.Client()}).history(t.Context(), &crisp.ConversationMessage{
		WebsiteID: v.WebsiteID, SessionID: v.SessionID, Fingerprint: last.Fingerprint, From: crisp.FromUser, Content: crisp.TextContent(last.Text()),
	})
	require.NoError(t, err)
	return chat
}

func TestHistoryIsWhatWasSaidToEachOther(t *testing.T) {
	srv := crisptest.NewServer(t)
	visitor, client := srv.Visitor(), srv.Client()
	send := func(content crisp.Content) {
		_, err := client.SendMessage(t.Context(), visitor.Session(), crisp.Message{Content: content})
		require.NoError(t, err)
	}
	visitor.Say("  Hi ")
	visitor.Send("file", &crisp.FileContent{Name: "a\nb.pdf", URL: "https://example.com/a", Type: "application/pdf"})
	visitor.Send("audio", &crisp.AudioContent{URL: "https://example.com/a", Type: "audio/mp3", Duration: 3})
	send(crisp.NoteContent("a customer of ours"))
	send(crisp.TextContent("I am a bot"))
	send(&crisp.PickerContent{ID: "topic", Text: "About what?", Choices: []crisp.PickerChoice{{Value: "a", Label: "Orders"}, {Value: "b", Label: "Else"}}})
	srv.Operator("Ada").Say(visitor, "I am Ada")
	visitor.Send("hologram", map[string]any{"x": 1})
	visitor.Say("Well?")
	assert.Equal(t, []chatMessage{
		{"user", "Hi\n[file: a b.pdf, application/pdf]\n[audio message]"},
		{"assistant", "I am a bot\n[choice: About what?, Orders / Else]\nI am Ada"},
		{"user", "[something that can't be shown]\nWell?"},
	}, historyOf(t, srv, visitor))
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, text := range map[string]string{"many": "x", "long": strings.Repeat("ü", 1000), "longer than any": strings.Repeat("ü", 100_000)} {
			srv := crisptest.NewServer(t, crisptest.InMemory())
			visitor, ada := srv.Visitor(), srv.Operator("Ada")
			for i := range 60 {
				visitor.Say(text)
				ada.Say(visitor, fmt.Sprint(i))
			}
			visitor.Say(text)
			chat := historyOf(t, srv, visitor)
			bytes := 0
			for _, m := range chat {
				bytes += len(m.Content)
				assert.True(t, utf8.ValidString(m.Content), name)
			}
			assert.LessOrEqual(t, len(chat), maxHistory, name)
			assert.LessOrEqual(t, bytes, historyBytes, name)
			assert.Equal(t, "59", chat[len(chat)-2].Content, "%s: the latest are there", name)
			assert.Less(t, len(srv.Requests()), 8, name)
		}
	})
}

func TestNotesAloneAreNotReadForever(t *testing.T) {
	srv := crisptest.NewServer(t)
	visitor, client := srv.Visitor(), srv.Client()
	visitor.Say("long ago")
	for range maxLookedAt + 50 {
		_, err := client.SendMessage(t.Context(), visitor.Session(), crisp.Message{Content: crisp.NoteContent("a note")})
		require.NoError(t, err)
	}
	visitor.Say("Hi")
	assert.Equal(t, []chatMessage{{"user", "Hi"}}, historyOf(t, srv, visitor))
}

func TestWhatIsAskedComesLast(t *testing.T) {
	at := func(fingerprint int64, role string) line {
		return line{chatMessage{role, fmt.Sprint(fingerprint)}, fingerprint}
	}
	asked := &crisp.ConversationMessage{Fingerprint: 2, From: crisp.FromUser, Content: crisp.TextContent("2")}
	for name, tt := range map[string]struct {
		before []line
		want   []chatMessage
	}{
		"it is":                  {[]line{at(1, roleAssistant), at(2, roleUser)}, []chatMessage{{roleAssistant, "1"}, {roleUser, "2"}}},
		"it is not listed yet":   {[]line{at(1, roleAssistant)}, []chatMessage{{roleAssistant, "1"}, {roleUser, "2"}}},
		"nor is anything":        {nil, []chatMessage{{roleUser, "2"}}},
		"an answer came between": {[]line{at(1, roleUser), at(2, roleUser), at(3, roleAssistant)}, []chatMessage{{roleUser, "1"}, {roleAssistant, "3"}, {roleUser, "2"}}},
		"more was said":          {[]line{at(2, roleUser), at(3, roleUser)}, []chatMessage{{roleUser, "2\n3"}}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, merged(askedLast(tt.before, asked))) })
	}
}

func sessionRef(id string) crisp.SessionRef {
	return crisp.SessionRef{WebsiteID: "website-1", SessionID: "session_" + id}
}
