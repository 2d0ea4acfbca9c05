package natsbridge

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
)

func TestNewRefusesNonsense(t *testing.T) {
	_, err := New(nil)
	assert.ErrorContains(t, err, "needs a connection")
	for says, option := range map[string]Option{
		`WithPrefix("")`:     WithPrefix(""),
		`WithPrefix("a b")`:  WithPrefix("a b"),
		`WithPrefix("a.")`:   WithPrefix("a."),
		`WithPrefix("a.*")`:  WithPrefix("a.*"),
		"WithPartitions(0)":  WithPartitions(0),
		"WithPartitions(1e3": WithPartitions(1000),
		"WithReplicas(2)":    WithReplicas(2),
		"WithMaxAge(1s)":     WithMaxAge(time.Second),
		"WithMaxBytes(5)":    WithMaxBytes(5),
		"WithMemberTTL(0s)":  WithMemberTTL(0),
		"WithAckWait(1ms)":   WithAckWait(time.Millisecond),
		"WithHandover(0s)":   WithHandover(0),
		"WithLogger(nil)":    WithLogger(nil),
	} {
		_, err := New(&nats.Conn{}, option)
		assert.ErrorContains(t, err, "natsbridge: "+strings.TrimSuffix(says, "1e3"))
	}
	e, err := New(&nats.Conn{}, WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	for _, group := range []string{"", strings.Repeat("x", 65)} {
		_, err = e.Consumer(group)
		assert.ErrorContains(t, err, "the group")
		_, err = e.DeadLetters(group)
		assert.ErrorContains(t, err, "the group")
	}
}

// What Connect fails at says where, and nothing of passwords.
func TestConnectErrors(t *testing.T) {
	for servers, says := range map[string]string{
		"":                               "needs the URL of a server, such as nats://127.0.0.1:4222",
		"nats://127.0.0.1:1":             "no server answers at 127.0.0.1:1: does one run there?",
		"127.0.0.1:1, nats://[::1]:1":    "no server answers at 127.0.0.1:1, [::1]:1: does one run there?",
		"nats://bot:pass-word@[::1]:1":   "no server answers at [::1]:1: does one run there?",
		"nats://bot:pass-word@[::1":      "one of the URLs can't be read",
		"nats://bot:pass-%zz-word@[::1]": "one of the URLs can't be read",
		"nats://bot:pass-word":           "one of the URLs can't be read",
	} {
		_, err := Connect(servers)
		require.ErrorContains(t, err, "natsbridge: connecting: "+says, servers)
		assert.NotContains(t, err.Error(), "pass")
	}
}

func TestCheckServer(t *testing.T) {
	for version, fits := range map[string]bool{
		"2.14.0": true, "2.15.2": true, "3.0.0-beta": true, "2.13.9": false, "1.4.1": false, "2.9": false, "": true, "dev": true,
	} {
		assert.Equal(t, fits, checkServer(version) == nil, version)
	}
}

func TestSubject(t *testing.T) {
	c := defaults()
	for _, test := range []struct {
		website, event, subject string
	}{
		{"8c842203", "message:send", "crisp.v1.0.8c842203.message:send"},
		{"", "", "crisp.v1.0._._"},
		{"a.b", "c d", "crisp.v1.0.a%2Eb.c%20d"},
		{"*", ">", "crisp.v1.0.%2A.%3E"},
		{"%2A", "ü\r\n", "crisp.v1.0.%252A.%C3%BC%0D%0A"},
	} {
		got := c.subject(bridge.Message{WebsiteID: test.website, Type: test.event}, 1)
		assert.Equal(t, test.subject, got)
	}
	m := bridge.Message{SessionID: "session", WebsiteID: "w", Type: "t"}
	assert.Equal(t, fmt.Sprintf("crisp.v1.%d.w.t", bridge.PartitionOf("session", 16)), c.subject(m, 16))
}

// Whatever there is in a text, it makes one token, and another than any other text.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "_", "=", "%", "message:send", "a.b", "*", ">", "ü", "=00", "%00"} {
		f.Add(seed, seed+"x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, one := range []string{token(a), key(a)} {
			assert.NotEmpty(t, one)
			assert.False(t, strings.ContainsFunc(one, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(".*>", r) }), one)
		}
		assert.Equal(t, a == b, key(a) == key(b))
		if a != "" && b != "" {
			assert.Equal(t, a == b, token(a) == token(b))
		}
	})
}

func TestShare(t *testing.T) {
	for members := 1; members <= 20; members++ {
		var all []string
		for m := range members {
			all = append(all, fmt.Sprintf("member-%d", m))
		}
		owners := make(map[int]string)
		for i, self := range all {
			rotated := append(append([]string{}, all[i:]...), all[:i]...) // the order does not count
			mine := share(16, rotated, self)
			assert.Contains(t, []int{16 / members, (16 + members - 1) / members}, len(mine), "%d members", members)
			for p := range mine {
				assert.Empty(t, owners[p], "a partition of two")
				owners[p] = self
			}
		}
		assert.Len(t, owners, 16)
	}
}

// When one leaves, most of the partitions of the others stay where they are.
func TestShareMovesLittle(t *testing.T) {
	all := []string{"a", "b", "c", "d"}
	owner := func(members []string) map[int]string {
		of := make(map[int]string)
		for _, m := range members {
			for p := range share(64, members, m) {
				of[p] = m
			}
		}
		return of
	}
	before, after := owner(all), owner(all[:3])
	moved := 0
	for p, m := range before {
		if m != "d" && after[p] != m {
			moved++
		}
	}
	assert.LessOrEqual(t, moved, 16, "of 48")
}

func TestWholeSeconds(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		0: time.Second, time.Millisecond: time.Second, time.Second: time.Second,
		time.Second + 1: 2 * time.Second, 90 * time.Second: 90 * time.Second,
	} {
		assert.Equal(t, want, wholeSeconds(d))
	}
}
