package main

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain is the program itself where the demonstration runs it as a worker.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-child") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out), out.String())
	assert.Contains(t, out.String(), "worker-2 is killed\n")
	assert.Regexp(t, `worker-1 handled \d+ messages\nworker-2 handled \d+ messages\nworker-3 handled \d+ messages\n`+
		`144 messages of 24 conversations: 0 lost, \d+ handled twice, 0 conversations out of order\n$`, out.String())
}

func TestTally(t *testing.T) {
	type done struct {
		worker, session string
		message         int64
		at              int // seconds
	}
	said := map[string][]int64{"a": {1, 2, 3}, "b": {7}}
	for name, tt := range map[string]struct {
		handled []done // as it is read
		want    summary
		ok      bool
	}{
		"all": {
			[]done{{"w1", "a", 1, 1}, {"w1", "b", 7, 2}, {"w1", "a", 2, 3}, {"w1", "a", 3, 4}},
			summary{byWorker: map[string]int{"w1": 4}}, true,
		},
		"read late from another worker": {
			[]done{{"w2", "a", 3, 4}, {"w1", "b", 7, 2}, {"w1", "a", 1, 1}, {"w1", "a", 2, 3}},
			summary{byWorker: map[string]int{"w1": 3, "w2": 1}}, true,
		},
		"lost": {
			[]done{{"w1", "a", 1, 1}, {"w1", "a", 3, 3}, {"w1", "b", 7, 4}},
			summary{missing: 1, byWorker: map[string]int{"w1": 3}}, false,
		},
		"twice": {
			[]done{{"w1", "a", 1, 1}, {"w1", "a", 2, 2}, {"w2", "a", 1, 3}, {"w2", "a", 2, 4}, {"w2", "a", 3, 5}, {"w2", "b", 7, 5}},
			summary{again: 2, byWorker: map[string]int{"w1": 2, "w2": 4}}, true,
		},
		"out of order": {
			[]done{{"w1", "a", 2, 1}, {"w1", "a", 1, 2}, {"w1", "a", 3, 3}, {"w1", "b", 7, 4}},
			summary{outOfOrder: []string{"a"}, byWorker: map[string]int{"w1": 4}}, false,
		},
		"nothing": {nil, summary{missing: 4, byWorker: map[string]int{}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tally := newTally()
			for session, all := range said {
				for _, m := range all {
					tally.say(session, m)
				}
			}
			for _, d := range tt.handled {
				tally.handle(handled{d.worker, d.session, d.message, time.Unix(int64(d.at), 0)})
			}
			tt.want.conversations, tt.want.messages = 2, 4
			assert.Equal(t, tt.want, tally.summary())
			assert.Equal(t, tt.ok, tally.summary().ok())
			missing, _ := tally.missing()
			assert.Equal(t, tt.want.missing, missing)
		})
	}
}
