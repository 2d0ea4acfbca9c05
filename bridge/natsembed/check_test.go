package natsembed

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that does not run as it was told to is found out.
func TestCheck(t *testing.T) {
	want, err := Options{Dir: t.TempDir()}.settings()
	require.NoError(t, err)
	for says, change := range map[string]func(o *server.Options){
		"":                   func(*server.Options) {},
		"without JetStream":  func(o *server.Options) { o.JetStream = false },
		"sync each write":    func(o *server.Options) { o.SyncAlways = false },
		"although it was to": func(o *server.Options) { o.JetStreamMaxStore = 0 },
	} {
		t.Run(says, func(t *testing.T) {
			settings := *want
			settings.StoreDir = t.TempDir()
			change(&settings)
			s, err := server.NewServer(&settings)
			require.NoError(t, err)
			said := &serverLog{}
			s.SetLoggerV2(said, false, false, false)
			s.Start()
			defer func() {
				s.Shutdown()
				s.WaitForShutdown()
			}()
			err = check(s, want, said)
			if says == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, says)
		})
	}
}
