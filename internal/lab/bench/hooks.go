package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
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

// serveHooks is the child process that receives web hooks until its standard
// input ends, and then reports what that cost.
func serveHooks(name string) error {
	handler, err := hookHandlers()[name]()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	fmt.Println(listener.Addr())
	result, err := reading.Measure(func() error {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			_ = server.Close()
		}()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return reading.Report(result)
}

// hooks compares the web hook handlers. Each delivery has a body of its own.
func (b bench) hooks(ctx context.Context, w io.Writer) error {
	const postsPerEvent = 10 // a request costs so many times what a frame does
	requests := signedRequests(b.events / postsPerEvent)
	load := task{Load: workload{Events: len(requests)}}
	handlers := []string{"bare", "json", "nodedupe", "crisp"}
	names := []string{
		"bare net/http handler that reads the body and checks the HMAC",
		"the same + encoding/json into a struct",
		"**this library**, typed handler, `WithDedupe(nil)`",
		"**this library**, typed handler",
	}
	samples, err := b.turns(len(handlers), func(i int) (usage, error) { return postAll(ctx, handlers[i], requests) })
	if err != nil {
		return err
	}
	results := make([]result, len(names))
	for i, name := range names {
		results[i] = summarize(contestant{name: name, task: load}, samples[i], samples[0])
	}
	return b.publish(w, "hooks", "Web hook handler", results)
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

// postAll posts the requests to a server in a process of its own, over a few
// connections that stay open, by a client that costs as little as it can.
func postAll(ctx context.Context, handler string, requests [][]byte) (usage, error) {
	const connections = 8
	cmd := exec.CommandContext(ctx, os.Args[0], "serve-hooks", handler) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return usage{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return usage{}, err
	}
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	out := bufio.NewReader(stdout)
	address, err := out.ReadString('\n')
	if err != nil {
		return usage{}, errors.Join(err, cmd.Wait())
	}
	began := time.Now()
	err = postOver(strings.TrimSpace(address), requests, connections)
	wall := time.Since(began).Seconds()
	_ = stdin.Close() // which ends the server
	var u usage
	err = errors.Join(err, json.NewDecoder(out).Decode(&u), cmd.Wait())
	u.Wall = wall
	return u, err
}

// postOver spreads the requests over connections.
func postOver(address string, requests [][]byte, connections int) error {
	errs := make([]error, connections)
	var posting sync.WaitGroup
	for i := range connections {
		posting.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				errs[i] = err
				return
			}
			defer func() { _ = conn.Close() }()
			answers := bufio.NewReader(conn)
			for n := i; n < len(requests) && errs[i] == nil; n += connections {
				errs[i] = exchange(conn, answers, requests[n])
			}
		})
	}
	posting.Wait()
	return errors.Join(errs...)
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
