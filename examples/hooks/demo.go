package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// demo has a Crisp on loopback deliver web hooks to the server.
func demo(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()
	client := srv.Client()
	defer client.CloseIdleConnections()
	token := rand.Text()
	server, err := newServer(&desk{client: client}, token, crisp.WithSigningSecrets(srv.SigningSecret()))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- serve(running, server, l) }()
	url := "http://" + l.Addr().String()
	err = play(ctx, srv, url, token, out)
	stop() // as Ctrl-C does
	if err != nil {
		return err
	}
	return <-ended
}

func play(ctx context.Context, srv *crisptest.Server, url, token string, out io.Writer) error {
	srv.AddPluginHook(url+"/hooks/crisp", "message:send", "message:received", "session:set_state")
	visitor, operator := srv.Visitor(), srv.Operator("Ada")
	_, _ = fmt.Fprintln(out, "The visitor writes; Crisp delivers a signed hook.")
	visitor.Say("My order is late")
	answer, err := visitor.WaitAnswer(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "The visitor is answered: %s\n", answer.Text())

	operator.Resolve(visitor)
	_, err = srv.WaitDelivery(ctx, func(d crisptest.Delivery) bool {
		return d.Delivered() && bytes.Contains(d.Body, []byte(`"state":"resolved"`))
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "An operator resolves the conversation. The tickets:")
	return get(ctx, url+"/tickets", token, out)
}

// get writes what is at a URL, for those who have the token, to out.
func get(ctx context.Context, url, token string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
