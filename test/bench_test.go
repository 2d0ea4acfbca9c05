package test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

const hookSecret = "secret"

// bareHook is the floor: it reads the body and checks its HMAC, and does
// nothing with it.
func bareHook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	_, _ = fmt.Fprintf(mac, "[%s;%s]", r.Header.Get("X-Crisp-Request-Timestamp"), body)
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Crisp-Signature"))) {
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// benchmarkedHooks are the floor and the library, which decodes each event and
// runs a typed handler.
func benchmarkedHooks(b *testing.B) map[string]http.Handler {
	b.Helper()
	hook := func(opt crisp.WebhookOption) http.Handler {
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
		h, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(hookSecret), crisp.WithTolerance(0), opt)
		if err != nil {
			b.Fatal(err)
		}
		return h
	}
	return map[string]http.Handler{
		"bare":      http.HandlerFunc(bareHook),
		"dedupe":    hook(crisp.WithDedupe(crisp.NewMemoryDedupe(benchHooks/2, 0))), // forgets a body before it comes again
		"no dedupe": hook(crisp.WithDedupe(nil)),
	}
}

const benchHooks = 8192

// makeBenchHooks makes bodies of about 600 bytes, no two alike, and signs them.
var makeBenchHooks = sync.OnceValues(func() (bodies [][]byte, headers []http.Header) {
	for i := range benchHooks {
		body := testkit.HookBody(fmt.Sprintf("message %06d %s", i, strings.Repeat("lorem ipsum ", 28)))
		bodies = append(bodies, body)
		headers = append(headers, crisp.Sign(hookSecret, time.Now(), body))
	}
	return bodies, headers
})

// BenchmarkWebhookHandler calls the handler itself: what it costs without the
// network.
func BenchmarkWebhookHandler(b *testing.B) {
	bodies, headers := makeBenchHooks()
	for name, handler := range benchmarkedHooks(b) {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			body := new(bytes.Reader)
			r.Body = io.NopCloser(body)
			w := &discard{header: make(http.Header)}
			b.ReportAllocs()
			b.SetBytes(int64(len(bodies[0])))
			for i := 0; b.Loop(); i++ {
				body.Reset(bodies[i%benchHooks])
				r.Header, r.ContentLength = headers[i%benchHooks], body.Size()
				w.status = http.StatusOK
				handler.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatal("status", w.status)
				}
			}
		})
	}
}

// discard is a ResponseWriter that keeps no more than the status.
type discard struct {
	header http.Header
	status int
}

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) Write(p []byte) (int, error) { return len(p), nil }
func (w *discard) WriteHeader(status int)      { w.status = status }

// BenchmarkWebhookServer posts over loopback, on a few connections that are
// kept open, by a client that costs as little as it can.
func BenchmarkWebhookServer(b *testing.B) {
	bodies, headers := makeBenchHooks()
	for name, handler := range benchmarkedHooks(b) {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(handler)
			defer server.Close()
			requests := make([][]byte, benchHooks)
			for i := range requests {
				requests[i] = rawRequest(headers[i], bodies[i])
			}
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				conn, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				answers := bufio.NewReader(conn)
				for pb.Next() {
					if err := exchange(conn, answers, requests[next.Add(1)%benchHooks]); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
}

func rawRequest(header http.Header, body []byte) []byte {
	var raw bytes.Buffer
	_, _ = fmt.Fprintf(&raw, "POST /hooks HTTP/1.1\r\nHost: hooks.example\r\nUser-Agent: Crisp-Hook\r\n"+
		"Content-Type: application/json\r\nX-Crisp-Hook-Origin: plugin\r\nX-Delivery-Attempt-Count: 1\r\n"+
		"X-Delivery-Attempt-Limit: 5\r\nContent-Length: %d\r\n", len(body))
	_ = header.Write(&raw)
	raw.WriteString("\r\n")
	raw.Write(body)
	return raw.Bytes()
}

// exchange posts a request and reads its answer, which has no body.
func exchange(conn net.Conn, answers *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	status, err := answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.Contains(status, []byte(" 200 ")) {
		return fmt.Errorf("answered %q", status)
	}
	for {
		line, err := answers.ReadSlice('\n')
		if err != nil || len(line) == len("\r\n") {
			return err
		}
	}
}

// messageSend is a message:send as visitors' chats send them, of about 600
// bytes.
const messageSend = `{"website_id":"f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038",` +
	`"session_id":"session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97","inbox_id":null,"type":"text","from":"user",` +
	`"origin":"chat","content":"Hello! I ordered three lamps last week, and two of them came without a bulb. ` +
	`Could you send me the missing ones, or tell me where I can find them?","fingerprint":177356982415933,` +
	`"stamped":true,"timestamp":1773569824159,"user":{"type":"participant","nickname":"Camille Example",` +
	`"user_id":"session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97","avatar":"https://example.com/avatar/camille.png"}}`

func sampleOf(name string) string { return string(crisptest.Sample(name).EventMeta().Raw) }

func BenchmarkDecode(b *testing.B) {
	payloads := map[string]string{"message:send": messageSend}
	for _, name := range []string{"session:set_state", "message:received", "people:profile:updated", "session:sync:pages"} {
		payloads[name] = sampleOf(name)
	}
	for name, payload := range payloads {
		b.Run(name, func(b *testing.B) {
			data := []byte(payload)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := crisp.Decode(name, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodeEncodingJSON is what encoding/json takes for the same
// message, into a struct without Meta, drift or typed content.
func BenchmarkDecodeEncodingJSON(b *testing.B) {
	type message struct {
		WebsiteID   string  `json:"website_id"`
		SessionID   string  `json:"session_id"`
		InboxID     *string `json:"inbox_id"`
		Type        string  `json:"type"`
		From        string  `json:"from"`
		Origin      string  `json:"origin"`
		Content     any     `json:"content"`
		Fingerprint int64   `json:"fingerprint"`
		Stamped     bool    `json:"stamped"`
		Timestamp   int64   `json:"timestamp"`
		User        struct {
			Type     string `json:"type"`
			UserID   string `json:"user_id"`
			Nickname string `json:"nickname"`
			Avatar   string `json:"avatar"`
		} `json:"user"`
	}
	data := []byte(messageSend)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, json.Unmarshal(data, new(message)))
	}
}
