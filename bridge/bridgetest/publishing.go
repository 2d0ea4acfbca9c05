package bridgetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// said is a message of a visitor's, the nth of a conversation.
func said(conversation string, n int) bridge.Message {
	const website = "8c842203-7ed8-4e29-a608-7cf78a7d2fcc"
	data, _ := json.Marshal(map[string]any{ // which has nothing that can't be encoded
		"website_id": website, "session_id": conversation, "type": "text", "from": "user", "origin": "chat",
		"content": fmt.Sprintf("%s %d", conversation, n), "fingerprint": fingerprint(n), "timestamp": 1_700_000_000_000 + n,
	})
	ev, err := crisp.Decode("message:send", data)
	if err != nil {
		panic(err)
	}
	ev.EventMeta().Source = crisp.SourceRTM
	return bridge.NewMessage(ev)
}

func fingerprint(n int) int64 { return int64(n) + 1 }

func lineOf(ev *crisp.MessageSend) line { return line{ev.SessionID, int(ev.Fingerprint) - 1} }

// publish stores a message, however often that fails.
func publish(ctx context.Context, p bridge.Publisher, m bridge.Message) error {
	for {
		err := attempt(ctx, p, m)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
}

func attempt(ctx context.Context, p bridge.Publisher, m bridge.Message) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return p.Publish(ctx, m)
}

func mustPublish(t *testing.T, p bridge.Publisher, messages ...bridge.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	for _, m := range messages {
		must(t, publish(ctx, p, m), "publishing")
	}
}

// collect is what a group has, up to so many messages, by conversation or website.
func collect(t *testing.T, p Peer, group string, n int) map[string][]bridge.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	var (
		mu    sync.Mutex // guards what follows
		count int
		got   = make(map[string][]bridge.Message)
	)
	err := p.Consumer(group).Consume(ctx, func(ctx context.Context, part bridge.Partition) {
		for {
			d, err := part.Next(ctx)
			if err != nil {
				return
			}
			check(t, d.Done(ctx) == nil, "a message can't be done")
			mu.Lock()
			got[d.Message().Key()] = append(got[d.Message().Key()], d.Message())
			if count++; count == n {
				cancel()
			}
			mu.Unlock()
		}
	})
	must(t, err, "consuming")
	equal(t, n, count, "messages")
	return got
}

func publishedIsStored(t *testing.T, s *setup) {
	s.start(t, Config{})
	p := s.Connect(t)
	var digest [sha256.Size]byte
	stable := bridge.Message{
		ID:        hex.EncodeToString(digest[:]),
		Stable:    true,
		Type:      "session:set_state",
		WebsiteID: "web site/1",
		SessionID: "session_with ümlaut, \"quotes\" and 100 %",
		Time:      time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC),
		Source:    crisp.SourceWebhook,
		Trace:     map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"},
		Data:      []byte("{\"state\": \"resolved\",\n \"\u00fc\":1}"),
	}
	plain := bridge.Message{ID: "another", Type: "something:new", WebsiteID: "*.>", Source: crisp.SourceRTM, Data: []byte("null")}
	bare := bridge.Message{ID: "no website", Type: bridge.TypeGap, Data: []byte("{}")}
	mustPublish(t, p.Publisher(), stable, plain, bare)

	got := collect(t, p, "all", 3)
	equal(t, map[string][]bridge.Message{stable.Key(): {stable}, plain.Key(): {plain}, "": {bare}}, got, "messages")
	equal(t, got, collect(t, s.Connect(t), "another group", 3), "messages of another group")
}

func storedOnce(t *testing.T, s *setup) {
	s.start(t, Config{})
	p, q := s.Connect(t), s.Connect(t)
	first := said("a", 0)
	mustPublish(t, p.Publisher(), first, said("a", 1), first)
	first.Source = crisp.SourceBackfill
	mustPublish(t, q.Publisher(), first, said("a", 2))

	got := collect(t, p, "group", 3)["a"]
	for n := range got {
		equal(t, said("a", n).ID, got[n].ID, "ID")
	}
	equal(t, crisp.SourceRTM, got[0].Source, "of what came first, the source")
}

func tooLarge(t *testing.T, s *setup) {
	s.start(t, Config{})
	p := s.Connect(t)
	limit := s.Limits().MaxPayload
	large := said("a", 0)
	large.Data = []byte(`{"content":"` + strings.Repeat("x", limit/2) + `"}`)
	mustPublish(t, p.Publisher(), large)

	larger := said("a", 1)
	larger.Data = []byte(`{"content":"` + strings.Repeat("x", 2*limit) + `"}`)
	err := attempt(t.Context(), p.Publisher(), larger)
	var tooLarge *bridge.TooLargeError
	if !errors.As(err, &tooLarge) {
		t.Fatalf("publishing what is too large: want a *bridge.TooLargeError, got %v", err)
	}
	equal(t, len(larger.Data), tooLarge.Size, "size of what is too large")
	check(t, tooLarge.Max >= limit/2 && tooLarge.Max <= 2*limit, "it takes %d, and says %d", limit, tooLarge.Max)
	mustPublish(t, p.Publisher(), said("a", 2))

	got := collect(t, p, "group", 2)["a"]
	equal(t, len(large.Data), len(got[0].Data), "size of what is large")
	equal(t, said("a", 2).ID, got[1].ID, "ID of what follows")
}
