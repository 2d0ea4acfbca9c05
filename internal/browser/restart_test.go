//go:build browser && unix

package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// port returns what the arguments name a page's address by.
func port(t *testing.T, url string) string {
	t.Helper()
	host, _ := address(t, url)
	return host[strings.Index(host, ":"):]
}

func TestPageSurvivesACrashOfTheCommand(t *testing.T) {
	for name, test := range map[string]struct {
		args     []string
		restarts int // rows that say that there was a restart
	}{
		"with a capture":    {[]string{"--capture", "capture.jsonl"}, 3},
		"without a capture": {nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			r := m.receive(":0", test.args...)
			page := r.page()
			b := m.open(wide, page)
			const each = 40
			var sent []string
			for run := range 4 {
				if run > 0 {
					b.requestsMayFail(true)
					r.kill()
					b.until(`inspector.all('[data-state=reconnecting]').length > 0`, "the page says that it is cut off")
					r = m.receive(port(t, page), test.args...)
					require.Equal(t, page, r.page(), "the open page's address and token are still good")
				}
				for i := range each {
					text := fmt.Sprintf("run %d message %d.", run, i)
					r.say(conversation(i%5), text)
					sent = append(sent, text)
				}
				b.shows(sent[len(sent)-1])
				b.until(`inspector.all('[data-state=connected]').length > 0`, "the page says that it is connected")
			}
			compare(t, b.everything(), sent, test.restarts)

			b.do(reload)
			if test.args != nil {
				b.shows(sent[len(sent)-1])
				compare(t, b.everything(), sent, test.restarts)
			} else {
				b.has(each)
				compare(t, b.everything(), sent[len(sent)-each:], 0)
			}
		})
	}
}

// compare fails the test unless the list has just what was sent, in that order.
func compare(t *testing.T, rows []row, sent []string, restarts int) {
	t.Helper()
	ids(t, rows)
	events := of(rows, "event")
	assert.Len(t, events, len(sent), "no hole, no duplicate")
	for i := range min(len(events), len(sent)) {
		assert.Contains(t, events[i].Text, sent[i])
	}
	assert.Len(t, of(rows, "restart"), restarts, "rows that say that the command was restarted")
	assert.Empty(t, of(rows, "hole"))
}

// What was sent while the command was killed is in the list if it was accepted.
func TestPageHasNoHoleAfterACrashAmidEvents(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0", "--capture", "capture.jsonl")
	page := r.page()
	b := m.open(wide, page)
	b.requestsMayFail(true)
	var accepted []string
	for run := range 3 {
		stop := make(chan struct{})
		done := make(chan []string)
		go func() { done <- r.sayUntil(stop, fmt.Sprintf("run %d", run)) }()
		b.until(fmt.Sprintf(`inspector.rows().some((row) => row.text.includes('run %d message 2'))`, run), "events come")
		r.kill()
		close(stop)
		accepted = append(accepted, <-done...)
		r = m.receive(port(t, page), "--capture", "capture.jsonl")
		r.page()
	}
	r.say(conversation(1), "the last")
	b.shows("the last")
	texts := map[string]int{}
	for _, row := range of(b.everything(), "event") {
		for _, text := range accepted {
			if strings.Contains(row.Text, text) {
				texts[text]++
			}
		}
	}
	for _, text := range accepted {
		assert.Equal(t, 1, texts[text], text)
	}
	assert.NotEmpty(t, accepted)
}
