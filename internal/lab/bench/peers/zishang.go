package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/zishang520/socket.io/clients/engine/v3/transports"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

// readZishang reads with the client of github.com/zishang520/socket.io.
func readZishang(ctx context.Context, t reading.Task, seen *reading.Log) error {
	at, err := url.Parse(t.Stream)
	if err != nil {
		return err
	}
	options := socket.DefaultOptions()
	options.SetPath(at.Path + "/rtm/")
	options.SetTransports(types.NewSet(transports.WebSocket))
	options.SetReconnection(false)
	options.SetAutoConnect(false)                  // the handlers come first
	options.SetQuery(url.Values{"slow": {"true"}}) // its own may come too late otherwise
	client, err := socket.Connect("http://"+at.Host, options)
	if err != nil {
		return err
	}
	defer client.Disconnect()
	lost := make(chan error, 1)
	fail := func(args ...any) {
		select {
		case lost <- fmt.Errorf("not connected: %v", args):
		default:
		}
	}
	for name, handler := range map[types.EventName]types.EventListener{
		"connect":         func(...any) { _ = client.Emit("authentication", authentication) },
		message:           func(args ...any) { seen.Message(fingerprintOf(args)) },
		reading.LastEvent: func(...any) { seen.Last() },
		"connect_error":   fail,
		"disconnect":      fail,
	} {
		if err := client.On(name, handler); err != nil {
			return err
		}
	}
	client.Connect()
	select {
	case <-seen.Done():
		return nil
	case err := <-lost:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func fingerprintOf(args []any) int64 {
	payload, _ := args[0].(map[string]any)
	fingerprint, _ := payload["fingerprint"].(float64)
	return int64(fingerprint)
}
