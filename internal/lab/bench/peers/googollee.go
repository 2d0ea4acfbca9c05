package main

import (
	"context"
	"fmt"
	"os"

	socketio "github.com/googollee/go-socket.io"

	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

// readGoogollee reads with the client of github.com/googollee/go-socket.io, of
// which only a release candidate has one.
func readGoogollee(ctx context.Context, t reading.Task, seen *reading.Log) error {
	out := os.Stdout
	os.Stdout = os.Stderr // the client prints itself when it is made
	client, err := socketio.NewClient(t.Stream+"/rtm/", nil)
	os.Stdout = out
	if err != nil {
		return err
	}
	client.OnConnect(func(conn socketio.Conn) error {
		conn.Emit("authentication", authentication)
		return nil
	})
	client.OnEvent(message, func(_ socketio.Conn, m struct{ Fingerprint int64 }) { seen.Message(m.Fingerprint) })
	client.OnEvent(reading.LastEvent, func(socketio.Conn, any) { seen.Last() })
	if err := client.Connect(); err != nil {
		return fmt.Errorf("it polls by HTTP, as Engine.IO 3 did, and has no WebSocket (%w)", err)
	}
	defer func() { _ = client.Close() }()
	select {
	case <-seen.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
