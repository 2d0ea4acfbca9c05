package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	text := out.String()
	for _, line := range []string{
		"  rtm      message:send             visitor Ada: \"Hello, is anybody there?\"\n",
		"  rtm      message:received         operator Grace: asks \"What is it about?\" with 2 choices\n",
		"  rtm      session:set_state        the conversation is resolved\n",
		"  webhook  session:sync:rating      rated 5 of 5: \"Thank you!\"\n",
		"  a forged hook is answered 401 Unauthorized\n",
		"  rtm      message:send             visitor Ada: \"Still there?\"\n",
	} {
		assert.Contains(t, text, line)
	}
	assert.NotContains(t, text, "everybody's data", "a forged hook is not shown")
	assert.Equal(t, 2, strings.Count(text, "connected and authenticated"), "once at first, once after the loss")
	assert.Equal(t, 1, strings.Count(text, "  gap: "))
}

// liveRun is a run of the live mode on a Crisp on loopback.
type liveRun struct {
	out  *io.PipeReader
	stop context.CancelFunc
	err  chan error
}

func startLive(t *testing.T, hooksAddr string) *liveRun {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, w := io.Pipe()
	run := &liveRun{out: r, stop: cancel, err: make(chan error, 1)}
	go func() {
		err := live(ctx, w, hooksAddr)
		_ = w.Close()
		run.err <- err
	}()
	return run
}

func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	token := srv.TokenFor(crisp.TierWebsite)
	srv.Setenv(t)
	for name, value := range map[string]string{
		"CRISP_IDENTIFIER": token.Identifier, "CRISP_KEY": token.Key, "CRISP_TIER": "website", "CRISP_WEBSITE_ID": token.WebsiteID(),
	} {
		t.Setenv(name, value)
	}
	run := startLive(t, "127.0.0.1:0")

	lines := bufio.NewScanner(run.out)
	until := func(part string) {
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		t.Errorf("the output ended before a line with %q", part)
	}
	until("web hooks are served at 127.0.0.1:")
	until("connected and authenticated")
	srv.Emit(crisptest.Sample("message:send"))
	until("message:send")
	srv.Emit(crisptest.Sample("session:set_state"))
	until("session:set_state")
	srv.Emit(crisptest.Sample("website:update_visitors_count"))
	until(`website:update_visitors_count {"website_id":`)
	run.stop()
	until("disconnected")
	require.False(t, lines.Scan(), "nothing after it")
	require.NoError(t, <-run.err)
}

func TestLiveRefusesWhatCanNotWork(t *testing.T) {
	srv := crisptest.NewServer(t)
	tests := []struct {
		name  string
		env   map[string]string // what is changed
		hooks string
		says  string
	}{
		{"no key", map[string]string{"CRISP_KEY": ""}, "", "CRISP_KEY"},
		{"an unknown tier", map[string]string{"CRISP_TIER": "admin"}, "", "CRISP_TIER"},
		{"no website", map[string]string{"CRISP_TIER": "website", "CRISP_WEBSITE_ID": ""}, "", "CRISP_WEBSITE_ID"},
		{"hooks without a secret", map[string]string{"CRISP_SIGNING_SECRET": ""}, "127.0.0.1:0", "CRISP_SIGNING_SECRET"},
		{"hooks at no address", nil, "127.0.0.1", "-hooks: listen"},
		{"wrong credentials", map[string]string{"CRISP_KEY": "wrong"}, "", http.StatusText(http.StatusUnauthorized)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv.Setenv(t)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			err := live(t.Context(), io.Discard, tt.hooks)
			require.Error(t, err)
			assert.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), srv.Token().Key)
		})
	}
}
