package crisp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/crisp-go/crisp"
)

func ExampleNewWebhook() {
	router := crisp.NewRouter()
	router.OnAny(func(_ context.Context, ev crisp.Event) error {
		fmt.Println("received", ev.EventName())
		return nil
	})
	hook, err := crisp.NewWebhook(router,
		crisp.WithSigningSecrets("secret of the plugin"), // plugin hooks are signed
		crisp.WithURLSecrets("key", "secret of the URL"), // website hooks have ?key=… in their URL
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("POST /crisp", hook)

	// What Crisp does:
	body := []byte(`{"website_id":"w","event":"session:removed","data":{"website_id":"w","session_id":"s"},"timestamp":1700000000000}`)
	request := httptest.NewRequest(http.MethodPost, "/crisp", bytes.NewReader(body))
	request.Header = crisp.Sign("secret of the plugin", time.Now(), body)
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	fmt.Println("answered", answer.Code)
	// Output:
	// received session:removed
	// answered 200
}

func ExampleVerify() {
	// What a cloud function gets: headers and a body.
	body := []byte(`{"website_id":"w","event":"session:removed","data":{},"timestamp":1700000000000}`)
	header := crisp.Sign("secret", time.Now().Add(-time.Hour), body)

	err := crisp.Verify("secret", header, body, 5*time.Minute)
	fmt.Println("too old:", errors.Is(err, crisp.ErrStale))

	err = crisp.Verify("another secret", header, body, 5*time.Minute)
	fmt.Println("not authentic:", errors.Is(err, crisp.ErrSignature))
	// Output:
	// too old: true
	// not authentic: true
}

// A cloud function gets the bytes of a web hook, and has no server.
func ExampleParseHook() {
	body := []byte(`{"website_id":"w","event":"session:set_state","data":{"session_id":"session_1","state":"resolved"},"timestamp":1700000000000}`)
	header := crisp.Sign("secret", time.Now(), body) // as Crisp does

	ev, err := crisp.ParseHook("secret", header, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	switch ev := ev.(type) {
	case *crisp.SessionSetState:
		fmt.Println(ev.SessionID, "is", ev.State)
	default:
		fmt.Println("ignored:", ev.EventName())
	}
	_, err = crisp.ParseHook("another secret", header, body)
	fmt.Println("refused:", errors.Is(err, crisp.ErrSignature))
	// Output:
	// session_1 is resolved
	// refused: true
}

func ExampleVerifyMCP() {
	// What the handler of an MCP server gets: headers and a body.
	body := []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	header := http.Header{
		"X-Crisp-Website-Id": {"f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038"},
		"X-Crisp-Timestamp":  {"1700000000"},
		"X-Crisp-Signature":  {"sha256=b506b27962bed7a2ef4be18434318601b0fa149f732c255cf0fb651109a96afa"},
	}
	fmt.Println("authentic:", crisp.VerifyMCP("mcp_sec_example", header, body, 0) == nil)

	err := crisp.VerifyMCP("mcp_sec_example", header, body, 5*time.Minute)
	fmt.Println("too old:", errors.Is(err, crisp.ErrStale))
	// Output:
	// authentic: true
	// too old: true
}

func ExampleSign() {
	body := []byte(`{"website_id":"w","event":"session:removed","data":{},"timestamp":1700000000000}`)
	header := crisp.Sign("secret", time.UnixMilli(1700000000000), body)
	fmt.Println(header.Get("X-Crisp-Request-Timestamp"))
	fmt.Println(header.Get("X-Crisp-Signature"))
	// Output:
	// 1700000000000
	// 6af2c3a14c1a6596cb9874848780a6280cee7fcbefed9c8daeeebf77198a2bed
}

// fileDedupe is a store that replicas can share: a file for each delivery, in a
// folder that they all see.
type fileDedupe string

func (dir fileDedupe) Done(_ context.Context, key crisp.DeliveryKey) (bool, error) {
	_, err := os.Stat(filepath.Join(string(dir), key.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (dir fileDedupe) MarkDone(_ context.Context, key crisp.DeliveryKey) error {
	return os.WriteFile(filepath.Join(string(dir), key.String()), nil, 0o600)
}

// A redelivery is answered without running the handlers, whichever replica it
// comes to.
func ExampleWithDedupe() {
	dir, err := os.MkdirTemp("", "dedupe")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	body := []byte(`{"website_id":"w","event":"session:removed","data":{"session_id":"s"},"timestamp":1700000000000}`)
	for replica := range 2 {
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.SessionRemoved) error {
			fmt.Println("handled by replica", replica)
			return nil
		})
		hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("secret"), crisp.WithDedupe(fileDedupe(dir)))
		if err != nil {
			fmt.Println(err)
			return
		}
		request := httptest.NewRequest(http.MethodPost, "/crisp", bytes.NewReader(body))
		request.Header = crisp.Sign("secret", time.Now(), body)
		answer := httptest.NewRecorder()
		hook.ServeHTTP(answer, request)
		fmt.Println("answered", answer.Code)
	}
	// Output:
	// handled by replica 0
	// answered 200
	// answered 200
}
