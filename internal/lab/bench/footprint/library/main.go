// Library is a program that receives events over the RTM API and by web hook.
package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/crisp-go/crisp"
)

func main() {
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		fmt.Println(ev.Content)
		return nil
	})
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("secret"))
	if err != nil {
		panic(err)
	}
	http.Handle("POST /hooks", hooks)
	client, err := crisp.New(crisp.PluginToken("identifier", "key"))
	if err != nil {
		panic(err)
	}
	rtm, err := client.NewRTM(router)
	if err != nil {
		panic(err)
	}
	go func() { fmt.Println(rtm.Run(context.Background())) }()
	server := &http.Server{Addr: "127.0.0.1:8080", ReadHeaderTimeout: time.Second}
	fmt.Println(server.ListenAndServe())
}
