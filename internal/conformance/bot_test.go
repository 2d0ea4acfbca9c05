package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// Tokens that every server accepts, and websites that it knows.
const otherWebsite = "0b7e0a54-21ac-4c6f-9d47-6f2a0f7b5d10"

var (
	pluginToken  = crisp.PluginToken("plugin-identifier", "plugin-key")
	userToken    = crisp.UserToken("user-identifier", "user-key")
	websiteToken = crisp.WebsiteToken(crisptest.WebsiteID, "website-identifier", "website-key")
	allTokens    = []crisp.Token{pluginToken, userToken, websiteToken}
)

// bot is a program that uses the library, and tells the test what it sees.
type bot struct {
	t   *testing.T
	rtm *crisp.RTM

	events       *stream[crisp.Event]
	connected    *stream[crisp.Connected]
	disconnected *stream[crisp.Disconnected]
	retrying     *stream[crisp.Retrying]
	gaps         *stream[crisp.Gap]
	dropped      *stream[crisp.Dropped]
	result       chan error // of Run
}

// newBot makes a bot with a typed handler for each event of the token's tier.
func newBot(t *testing.T, restURL string, token crisp.Token, opts ...crisp.RTMOption) *bot {
	t.Helper()
	b := &bot{t: t, events: newStream[crisp.Event]("event")}
	b.prepare(restURL, token, b.router(func(r *crisp.Router) { handleTier(r, token.Tier, b.events) }), opts)
	return b
}

// newBotWith makes a bot with one handler for any event.
func newBotWith(t *testing.T, restURL string, token crisp.Token, handler crisp.Handler, opts ...crisp.RTMOption) *bot {
	t.Helper()
	b := &bot{t: t}
	b.prepare(restURL, token, b.router(func(r *crisp.Router) { r.OnAny(handler) }), opts)
	return b
}

func (b *bot) router(register func(*crisp.Router)) *crisp.Router {
	r := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) {
		assert.NoError(b.t, err, "the router's error handler")
	}))
	register(r)
	return r
}

func (b *bot) prepare(restURL string, token crisp.Token, r *crisp.Router, opts []crisp.RTMOption) {
	b.t.Helper()
	b.connected = newStream[crisp.Connected]("connection of the bot")
	b.disconnected = newStream[crisp.Disconnected]("disconnection of the bot")
	b.retrying = newStream[crisp.Retrying]("retry of the bot")
	b.gaps = newStream[crisp.Gap]("gap of the bot")
	b.dropped = newStream[crisp.Dropped]("loss of the bot")
	b.result = make(chan error, 1)

	client, err := crisp.New(token, crisp.WithBaseURL(restURL))
	require.NoError(b.t, err)
	b.t.Cleanup(client.CloseIdleConnections)
	all := append([]crisp.RTMOption{
		crisp.WithBackoff(crisp.ExponentialBackoff{Base: 50 * time.Millisecond, Max: time.Second}),
		crisp.WithHooks(crisp.Hooks{
			Connected:    b.connected.add,
			Disconnected: b.disconnected.add,
			Retrying:     b.retrying.add,
			Gap:          b.gaps.add,
			Dropped:      b.dropped.add,
			Skipped:      func(err error) { assert.NoError(b.t, err, "a packet was skipped") },
		}),
	}, opts...)
	b.rtm, err = client.NewRTM(r, all...)
	require.NoError(b.t, err)
}

// start runs the bot until the test ends.
func (b *bot) start() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.result <- b.rtm.Run(context.Background())
	}()
	b.t.Cleanup(func() {
		assert.NoError(b.t, b.rtm.Close())
		<-ended
	})
}

// connect starts the bot and waits until it is authenticated.
func (b *bot) connect() {
	b.t.Helper()
	b.start()
	b.connected.next(b.t)
}

// end waits for the end of Run and returns its error.
func (b *bot) end() error {
	b.t.Helper()
	select {
	case err := <-b.result:
		return err
	case <-time.After(patience):
		require.FailNow(b.t, "Run does not end")
		return nil
	}
}
