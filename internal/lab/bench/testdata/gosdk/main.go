// Gosdk reads a stream with the official Go SDK. Not every module proxy serves
// that: internal/lab/bench builds this program in a workspace with a checkout of
// the SDK.
package main

import (
	"context"

	"github.com/crisp-im/go-crisp-api/crisp/v3"

	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

func main() { reading.Run(read) }

func read(ctx context.Context, t reading.Task, seen *reading.Log) error {
	client := crisp.NewWithConfig(crisp.ClientConfig{RestEndpointURL: t.Stream + "/v1/"})
	client.Authenticate("bench", "bench")
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	listening := func(events *crisp.EventsRegister) {
		_ = events.On("message:send/text", func(m crisp.EventsReceiveTextMessage) { seen.Message(int64(*m.Fingerprint)) })
		_ = events.On(reading.LastEvent, func(crisp.EventsReceiveSessionRemoved) { seen.Last() })
		client.Events.RebindSocket()
	}
	go client.Events.Listen(crisp.EventsModeWebSockets, []string{"message:send", reading.LastEvent}, listening, func() {}, fail)
	select {
	case <-seen.Done():
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
