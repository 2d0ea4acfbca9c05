package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/crisp-go/crisp"
)

func ExampleNew() {
	client, err := crisp.New(
		crisp.PluginToken(os.Getenv("CRISP_IDENTIFIER"), os.Getenv("CRISP_KEY")),
		crisp.WithUserAgent("mybot/1.0"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = client // its methods call the REST API and open RTM sessions
	// Output: crisp: the token has no identifier
}

func ExampleClient_Do() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":true,"reason":"not_allowed","data":{}}`)
			return
		}
		_, _ = io.WriteString(w, `{"error":false,"reason":"dispatched","data":{"fingerprint":163408807910334}}`)
	}))
	defer api.Close()

	client, err := crisp.New(crisp.PluginToken("identifier", "key"), crisp.WithBaseURL(api.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	message := map[string]any{"type": "text", "from": "operator", "origin": "chat", "content": "Hello"}
	var sent struct {
		Fingerprint int64 `json:"fingerprint"`
	}
	ctx := context.Background()
	if err := client.Do(ctx, http.MethodPost, "website/site-1/conversation/session_1/message", message, &sent); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent with fingerprint", sent.Fingerprint)

	err = client.Do(ctx, http.MethodDelete, "website/site-1/conversation/session_1", nil, nil)
	var refused *crisp.APIError
	if errors.As(err, &refused) {
		fmt.Println(refused.StatusCode, refused.Reason)
	}
	// Output:
	// sent with fingerprint 163408807910334
	// 403 not_allowed
}
