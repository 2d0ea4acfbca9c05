package engine

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
)

// TestAnEndBeforeTheFirstConnection: a program that is asked to end while no server
// answers yet has ended as it was asked to.
func TestAnEndBeforeTheFirstConnection(t *testing.T) {
	c := config.Default()
	c.Engine.Kind = config.EngineNATS
	c.Engine.Servers = []string{"nats://127.0.0.1:1"}
	_, err := Open(t.Context(), c, slog.New(slog.DiscardHandler), ToRun)
	require.ErrorIs(t, err, ErrUnreachable)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, c, slog.New(slog.DiscardHandler), ToRun)
	require.ErrorIs(t, err, context.Canceled)
}

// stuck is a subscription whose server does not answer.
type stuck struct {
	jetstream.MessagesContext
	asked, answer chan struct{}
}

func (s *stuck) Next(...jetstream.NextOpt) (jetstream.Msg, error) {
	close(s.asked)
	<-s.answer
	return nil, nats.ErrConnectionClosed
}

func (s *stuck) Stop() {}

// TestAnEndWhileNoServerAnswers: whoever looks at the log need not wait for a server.
func TestAnEndWhileNoServerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &stuck{asked: make(chan struct{}), answer: make(chan struct{})}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for _, err := range received(ctx, s) {
				assert.Fail(t, "nothing has come", err)
			}
		}()
		<-s.asked
		cancel()
		synctest.Wait()
		select {
		case <-ended:
		default:
			assert.Fail(t, "it goes on waiting")
		}
		close(s.answer)
	})
}
