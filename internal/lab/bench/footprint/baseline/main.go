// Baseline is a program that receives JSON by HTTP and asks for JSON, without
// the library: what a program with it is compared with.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

func main() {
	http.HandleFunc("POST /hooks", func(w http.ResponseWriter, r *http.Request) {
		var event map[string]any
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Println(event["event"])
	})
	server := &http.Server{Addr: "127.0.0.1:8080", ReadHeaderTimeout: time.Second}
	fmt.Println(ask(context.Background()), server.ListenAndServe())
}

func ask(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer any
	return json.NewDecoder(resp.Body).Decode(&answer)
}
