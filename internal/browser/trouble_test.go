//go:build browser && unix

package browser

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTroubleIsVisible(t *testing.T) {
	m := newMachine(t)
	program := newTarget(t)
	s := m.serve()
	c := m.listen(s, ":0", "-f", program.url, "--attempts", "2")
	c.code = 1 // something will be lost
	b := m.open(wide, c.page())
	b.until(`inspector.rows().some((row) => row.kind === 'connected')`, "the connection is a row")
	visitor := s.visitor("Ada")

	s.control("visitors/"+visitor+"/say", map[string]any{"text": "to be accepted"})
	b.shows("to be accepted")
	program.arrivals(len(of(b.everything(), "event")))
	b.until(`inspector.rows().some((row) => row.text.includes('to be accepted') && row.text.includes('200'))`, "its row says that it was accepted")
	assert.Empty(t, of(b.everything(), "delivery"), "what was accepted needs no row")

	program.answer(http.StatusServiceUnavailable)
	s.control("visitors/"+visitor+"/say", map[string]any{"text": "to be refused"})
	b.until(`inspector.rows().filter((row) => row.kind === 'delivery' && row.text.includes('503')).length === 2`, "both attempts are rows")
	b.shows("given up")
	b.choose("to be refused")
	b.turnTo("Deliveries")
	b.tells("503")
	b.tells("given up")
	b.screenshot("deliveries")

	s.control("faults/drop", map[string]any{"how": "cut"})
	for _, kind := range []string{"lost", "retrying", "gap"} {
		b.until(`inspector.rows().some((row) => row.kind === '`+kind+`')`, kind+" is a row")
	}
	b.until(`inspector.rows().filter((row) => row.kind === 'connected').length === 2`, "the new connection is a row")
	b.screenshot("trouble")
}

func TestProblemsAreShownAtTheirFields(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	r.send(event(t, "message:send", map[string]any{"content": "drifted", "from": 17}))
	b.choose("drifted")
	b.turnTo("Payload")
	b.tells("from")
	b.until(`inspector.all('[data-problem],.problem,[aria-invalid]', `+panel+`).some((e) => e.closest('li,tr,[role=treeitem]')?.innerText.includes('from'))`, "the problem is at its field")
}
