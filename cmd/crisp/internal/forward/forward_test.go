package forward_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/crisptest"
)

// 10,000 events of 100 conversations reach two targets, which take random times and
// refuse some: in order within each conversation, byte for byte, rightly signed.
func TestOrder(t *testing.T) {
	const events, conversations, secret = 10_000, 100, "a secret"
	var mu sync.Mutex // guards what is below
	accepted := map[string][]string{}
	var wrong []error
	target := func(name string) forward.Target {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			err = errors.Join(err, crisp.Verify(secret, r.Header, body, time.Minute))
			time.Sleep(rand.N(time.Millisecond)) // the target's work
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				wrong = append(wrong, err)
			}
			if rand.IntN(50) == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			ev, err := record.Parse(body)
			if err != nil {
				wrong = append(wrong, err)
				return
			}
			key := name + ev.Conversation()
			accepted[key] = append(accepted[key], string(body))
		}))
		t.Cleanup(srv.Close)
		transport := forward.NewTransport(16)
		t.Cleanup(transport.CloseIdleConnections)
		sender, err := forward.NewHTTP(srv.URL, forward.Signing{Secret: secret}, 10*time.Second, transport)
		require.NoError(t, err)
		return forward.Target{Sender: sender, Attempts: 20}
	}
	f := forward.New(forward.Config{
		Targets:     []forward.Target{target("a"), target("b")},
		Concurrency: 16,
		Backoff:     func(int) time.Duration { return time.Millisecond },
		Report:      func(record.Delivery) {},
	})
	sent := map[string][]string{}
	for i := range events {
		payload := fmt.Sprintf(`{"website_id":"w","session_id":"s%d", "content":"\u00e9\/ <%d>","fingerprint":1.0e2}`, i%conversations, i)
		ev, err := crisp.Decode("message:send", []byte(payload))
		require.NoError(t, err)
		rec := record.FromRTM(ev)
		for _, name := range []string{"a", "b"} {
			sent[name+rec.Conversation()] = append(sent[name+rec.Conversation()], string(rec.Body))
		}
		_, err = f.Put(t.Context(), forward.Job{N: uint64(i), Event: rec})
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	assert.Equal(t, forward.Counts{Accepted: 2 * events}, f.Close(ctx))
	mu.Lock()
	defer mu.Unlock()
	assert.Empty(t, wrong)
	assert.True(t, assert.ObjectsAreEqual(sent, accepted), "order or bytes differ")
}

// still is a target that answers when it may.
type still struct{ answer chan struct{} }

func (still) Name() string { return "still" }

func (s still) Send(ctx context.Context, _ forward.Attempt) forward.Answer {
	select {
	case <-s.answer:
		return forward.Answer{Accepted: true}
	case <-ctx.Done():
		return forward.Answer{Err: ctx.Err()}
	}
}

func TestWaiting(t *testing.T) {
	target := still{make(chan struct{})}
	f := forward.New(forward.Config{Targets: []forward.Target{{Sender: target, Attempts: 1}}, Concurrency: 1, Report: func(record.Delivery) {}})
	assert.Equal(t, forward.Waiting{}, f.Waiting())
	began := time.Now()
	ev := record.FromRTM(crisptest.Sample("message:send"))
	for range 3 {
		_, err := f.Put(t.Context(), forward.Job{N: 1, Event: ev})
		require.NoError(t, err)
	}
	w := f.Waiting()
	assert.Equal(t, 3, w.Deliveries)
	assert.Greater(t, w.Bytes, int64(3*len(ev.Body)))
	assert.WithinRange(t, w.Oldest, began, time.Now())
	close(target.answer)
	f.Close(t.Context())
	assert.Equal(t, forward.Waiting{}, f.Waiting())
}
