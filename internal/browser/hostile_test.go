//go:build browser && unix

package browser

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp"
)

// Each event is opened in each of its tabs; the list is scrolled through.
func TestNoHostileTextRuns(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	sent := 0
	for _, info := range crisp.Events() {
		for _, body := range attacks(t, info.Name) {
			r.send(body)
			sent++
		}
	}
	for _, body := range strays(t) {
		r.send(body)
		sent++
	}
	b.has(sent)
	opened := eval[int](b, openAll)
	assert.Equal(t, sent, opened, "events that were opened in each tab")
	assert.Len(t, b.everything(), sent)
	assert.Empty(t, b.complaints())
}

const openAll = ``
