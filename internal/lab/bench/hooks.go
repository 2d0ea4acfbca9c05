package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

const hookSecret = "bench"

// hookHandlers are the servers of web hooks that are compared; the first is the
// floor.
func hookHandlers() map[string]func() (http.Handler, error) {
	return map[string]func() (http.Handler, error){
		"bare":     func() (http.Handler, error) { return http.HandlerFunc(bareHook), nil },
		"json":     func() (http.Handler, error) { return http.HandlerFunc(jsonHook), nil },
		"crisp":    func() (http.Handler, error) { return libraryHook() },
		"nodedupe": func() (http.Handler, error) { return libraryHook(crisp.WithDedupe(nil)) },
	}
}

// bareHook reads the body and checks its HMAC, and does nothing with it.
func bareHook(w http.ResponseWriter, r *http.Request) {
	_, _ = verifiedBody(w, r)
}

func verifiedBody(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return nil, false
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	_, _ = fmt.Fprintf(mac, "[%s;%s]", r.Header.Get("X-Crisp-Request-Timestamp"), body)
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Crisp-Signature"))) {
		w.WriteHeader(http.StatusUnauthorized)
		return nil, false
	}
	return body, true
}

// jsonHook also decodes it, as a program without a library would.
func jsonHook(w http.ResponseWriter, r *http.Request) {
	body, ok := verifiedBody(w, r)
	if !ok {
		return
	}
	var envelope struct {
		WebsiteID string  `json:"website_id"`
		Event     string  `json:"event"`
		Data      message `json:"data"`
		Timestamp int64   `json:"timestamp"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

func libraryHook(opts ...crisp.WebhookOption) (http.Handler, error) {
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	return crisp.NewWebhook(router, append(opts, crisp.WithSigningSecrets(hookSecret))...)
}

// hookContestants are the rows of the table, by the names of hookHandlers.
var hookContestants = []contestant{
	{name: "bare net/http handler that reads the body and checks the HMAC", task: task{Reader: "bare"}},
	{name: "the same + encoding/json into a struct", task: task{Reader: "json"}},
	{name: "**this library**, typed handler, `WithDedupe(nil)`", task: task{Reader: "nodedupe"}},
	{name: "**this library**, typed handler", task: task{Reader: "crisp"}},
}

// hooks compares the web hook handlers over so many connections. Each delivery has a
// body of its own.
func hooks(table string, connections int) func(b bench, ctx context.Context, w io.Writer) error {
	const postsPerEvent = 10 // a request costs so many times what a frame does
	return func(b bench, ctx context.Context, w io.Writer) error {
		load := workload{Events: b.events / postsPerEvent}
		samples, err := b.hookRounds(ctx, load, connections)
		if err != nil {
			return err
		}
		results := make([]result, len(hookContestants))
		for i, c := range hookContestants {
			c.task.Load = load
			results[i] = summarize(c, samples[i], samples[0])
		}
		return b.publish(w, table, fmt.Sprintf("Web hook handler, connections: %d", connections), results)
	}
}

// hookRounds returns the samples of each contestant. The servers stay up from round
// to round, as servers do: in most rounds they remember what came before.
func (b bench) hookRounds(ctx context.Context, load workload, connections int) (samples [][]reading.Usage, err error) {
	var servers hookServers
	defer func() { err = errors.Join(err, servers.stop()) }()
	for _, c := range hookContestants {
		server, err := b.startHookServer(ctx, c, connections)
		if err != nil {
			return nil, err
		}
		servers = append(servers, server)
	}
	samples = make([][]reading.Usage, len(servers))
	for round := range b.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d, connections: %d\n", round+1, b.rounds, connections)
		if err := servers.post(signedRequests(load.Events)); err != nil {
			return nil, err
		}
		for i, s := range servers {
			used, err := s.used()
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], used)
		}
	}
	return samples, nil
}

// signedRequests makes HTTP requests as Crisp sends them, no two alike.
func signedRequests(n int) [][]byte {
	requests := make([][]byte, n)
	for i := range requests {
		body := fmt.Appendf(nil, `{"website_id":%q,"event":"message:send","data":%s,"timestamp":%d}`,
			websiteID, messagePayload(i, messageBytes), time.Now().UnixMilli())
		var raw bytes.Buffer
		fmt.Fprintf(&raw, "POST /hooks HTTP/1.1\r\nHost: hooks.example\r\nContent-Type: application/json\r\n"+
			"X-Crisp-Hook-Origin: plugin\r\nX-Delivery-Attempt-Count: 1\r\nX-Delivery-Attempt-Limit: 5\r\n"+
			"Content-Length: %d\r\n", len(body))
		_ = crisp.Sign(hookSecret, time.Now(), body).Write(&raw)
		raw.WriteString("\r\n")
		raw.Write(body)
		requests[i] = raw.Bytes()
	}
	return requests
}
