package stream_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/stream"
	"github.com/crisp-go/crisp/crisptest"
)

// slow is a target that accepts some events, each after a while, and then none.
type slow struct {
	takes   time.Duration
	accepts int
	taken   *int
}

func (slow) Name() string { return "slow" }

func (s slow) Send(ctx context.Context, _ forward.Attempt) forward.Answer {
	after := time.After(s.takes)
	if *s.taken == s.accepts {
		after = nil
	}
	select {
	case <-after:
		*s.taken++
		return forward.Answer{Accepted: true}
	case <-ctx.Done():
		return forward.Answer{Err: ctx.Err()}
	}
}

// At the end, a slow target gets all that it accepts. One that accepts nothing any more
// is waited for a while.
func TestCloseWaitsForAsLongAsTargetsAccept(t *testing.T) {
	const events = 10
	for _, tt := range []struct {
		name    string
		accepts int
		took    time.Duration
		err     string
	}{
		{"all", events, 60 * time.Second, ""},
		{"some", 4, 34 * time.Second, "4 deliveries were accepted, 0 given up, and 6 not made"},
		{"none", 0, 10 * time.Second, "0 deliveries were accepted, 0 given up, and 10 not made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stream.New(stream.Config{
					Printer: printer(t),
					Tell:    func(string, ...any) {},
					Note:    func(string, ...any) {},
					Targets: forward.Config{
						Targets:     []forward.Target{{Sender: slow{6 * time.Second, tt.accepts, new(int)}, Attempts: 5}},
						Concurrency: 1,
					},
				})
				for range events {
					require.NoError(t, s.Event(t.Context(), record.FromRTM(crisptest.Sample("message:send"))))
				}
				began := time.Now()
				err := s.Close()
				if tt.err == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, tt.err)
				}
				assert.Equal(t, tt.took, time.Since(began))
			})
		})
	}
}

func printer(t *testing.T) *output.Printer {
	var options output.Options
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	options.AddTo(flags)
	require.NoError(t, flags.Parse(nil))
	p, err := output.New(io.Discard, options, false)
	require.NoError(t, err)
	return p
}
