//go:build conformance && unix

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// Every event that a tier may see reaches its typed handler, whole, whether
// its payload comes bare or in an envelope. No tier sees all 82; together they
// do.
func TestEveryEvent(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		seen := make(map[string]bool)
		for _, token := range allTokens {
			b := g.bot(t, srv, token)
			b.connect()
			for _, info := range eventsOf(token.Tier) {
				srv.emit(info.Name, samplePayload(info.Name))
				srv.emit(info.Name, map[string]any{
					"website_id": crisptest.WebsiteID,
					"data":       samplePayload(info.Name),
					"timestamp":  1_790_000_000_000,
				})
			}
			for _, info := range eventsOf(token.Tier) {
				assertSample(t, info.Name, b.events.next(t), crisp.SourceRTM)
				assertSample(t, info.Name, b.events.next(t), crisp.SourceRTM)
				seen[info.Name] = true
			}
			require.NoError(t, b.rtm.Close())
			require.ErrorIs(t, b.end(), crisp.ErrClosed)
		}
		assert.Len(t, seen, 82)
	})
}

// The same events by web hooks that Node has signed, over the bytes that its
// JSON.stringify makes. Those that Crisp sends over RTM only are no exception:
// a handler need not know.
func TestEveryEventByWebHook(t *testing.T) {
	t.Parallel()
	const secret = "signing secret"
	events := newStream[crisp.Event]("event")
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { assert.NoError(t, err) }))
	for _, register := range typedHandlers {
		register(router, events)
	}
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	require.NoError(t, err)
	app := httptest.NewServer(hooks)
	t.Cleanup(app.Close)

	srv := startServer(t, 4, nil)
	for _, info := range crisp.Events() {
		status := srv.do("hook", map[string]any{"url": app.URL, "secret": secret, "body": map[string]any{
			"website_id": crisptest.WebsiteID,
			"event":      info.Name,
			"data":       samplePayload(info.Name),
			"timestamp":  time.Now().UnixMilli(),
		}})
		assert.Equal(t, fmt.Sprint(http.StatusOK), string(status), info.Name)
		assertSample(t, info.Name, events.next(t), crisp.SourceWebhook)
	}
}

// A message of each kind of content, and of one that nobody knows.
func TestEveryContent(t *testing.T) {
	contents := []crisp.Content{
		crisp.TextContent("“quoted” \u2028 \\ 🛟 </script>"),
		crisp.NoteContent("for operators"),
		&crisp.FileContent{Name: "a.pdf", URL: "https://files.example/a.pdf", Type: "application/pdf"},
		&crisp.AnimationContent{URL: "https://files.example/a.gif", Type: "image/gif"},
		&crisp.AudioContent{URL: "https://files.example/a.webm", Type: "audio/webm", Duration: 12500 * time.Millisecond},
		&crisp.PickerContent{ID: "size", Text: "Which?", Choices: []crisp.PickerChoice{{Value: "s", Label: "Small", Selected: true}}},
		&crisp.FieldContent{ID: "name", Text: "Who?", Explain: "Your name", Value: "Camille"},
		&crisp.CarouselContent{Text: "Look", Targets: []crisp.CarouselTarget{{Title: "A", Description: "The first"}}},
		&crisp.EventContent{Namespace: "state:resolved", Text: "resolved"},
		&crisp.UnknownContent{Type: "hologram", Raw: json.RawMessage(`{"depth":[1,2.5,null]}`)},
	}
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		b := g.bot(t, srv, pluginToken)
		b.connect()
		for _, content := range contents {
			sent := &crisp.MessageSend{
				WebsiteID: crisptest.WebsiteID,
				SessionID: "session_1",
				Type:      crisp.MessageType(content.ContentType()),
				Content:   content,
			}
			srv.emit("message:send", sent)
			got, ok := b.events.next(t).(*crisp.MessageSend)
			require.True(t, ok)
			assert.Empty(t, got.Problems)
			assert.Equal(t, content, got.Content)
		}
	})
}

// What else Socket.IO can put into an event.
func TestEventsOfOtherForms(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		b := g.bot(t, srv, pluginToken)
		b.connect()
		sample := samplePayload("message:send")

		srv.emit("message:send", sample, "more", map[string]int{"of": 3})
		assertSample(t, "message:send", b.events.next(t), crisp.SourceRTM)

		srv.do("ask", map[string]any{"name": "message:send", "args": []any{sample}})
		assertSample(t, "message:send", b.events.next(t), crisp.SourceRTM)
		assert.JSONEq(t, `[]`, string(srv.next("ack").Answers))

		srv.emit("plugin:channel", map[string]any{
			"website_id": crisptest.WebsiteID,
			"plugin_id":  "p",
			"namespace":  "n",
			"payload":    map[string]any{"first": binary("AAEC/w=="), "second": binary("")},
		})
		channel, ok := b.events.next(t).(*crisp.PluginChannel)
		require.True(t, ok)
		assert.Empty(t, channel.Problems)
		assert.JSONEq(t, `{"first":"AAEC/w==","second":""}`, string(channel.Payload))
	})
}

// What the server sends in the same breath as `authenticated` is not lost,
// however often that happens.
func TestEventsRightBehindAuthenticated(t *testing.T) {
	const rounds, atOnce = 10, 50
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		var greeting []any
		for i := range atOnce {
			greeting = append(greeting, []any{"message:removed", map[string]any{"session_id": "session_1", "fingerprint": i}})
		}
		srv.do("authentication", map[string]any{"answer": "accept", "greeting": greeting})
		b := g.bot(t, srv, pluginToken)
		b.start()
		for range rounds {
			for i := range atOnce {
				removed, ok := b.events.next(t).(*crisp.MessageRemoved)
				require.True(t, ok)
				require.EqualValues(t, i, removed.Fingerprint)
			}
			srv.endSessions("terminate")
		}
	})
}

// A burst keeps its order within each session, whatever else is at work.
func TestOrderOfABurst(t *testing.T) {
	const count, sessions = 20_000, 7
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		b := g.bot(t, srv, pluginToken, crisp.WithConcurrency(4))
		b.connect()
		srv.do("burst", map[string]any{
			"name": "message:send", "payload": samplePayload("message:send"), "count": count, "sessions": sessions,
		})
		last := make(map[string]int64)
		for range count {
			message, ok := b.events.next(t).(*crisp.MessageSend)
			require.True(t, ok)
			previous, began := last[message.SessionID]
			if began {
				require.Equal(t, previous+sessions, message.Fingerprint, "next of %s", message.SessionID)
			}
			last[message.SessionID] = message.Fingerprint
		}
		assert.Len(t, last, sessions)
		assert.Empty(t, b.gaps.take())
	})
}
