//go:build browser && unix

package browser

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// filled starts a command whose page has something of everything.
func filled(t *testing.T) (*machine, *tab) {
	t.Helper()
	m := newMachine(t)
	program := newTarget(t)
	r := m.receive(":0", "-f", program.url, "--attempts", "2")
	r.code = 1 // something will be lost
	b := m.open(wide, r.page())
	for i := range 30 {
		r.say(conversation(i%3), fmt.Sprintf("Where is my order %d?", i))
	}
	r.send(event(t, "session:set_state", nil))
	r.send(event(t, "people:profile:updated", nil))
	r.send(event(t, "message:send", map[string]any{"content": "drifted", "from": 17}))
	program.arrivals(33)
	program.answer(500)
	r.say(conversation(1), "to be refused")
	b.until(`inspector.rows().filter((row) => row.kind === 'delivery').length === 2`, "the failed deliveries are shown")
	return m, b
}

// view is something that the page can show.
type view struct {
	name string
	show func(*tab)
}

func views() []view {
	list := []view{{"list", func(b *tab) { b.shows("to be refused") }}}
	for _, name := range tabs {
		list = append(list, view{name, func(b *tab) {
			b.choose("drifted")
			b.turnTo(name)
		}})
	}
	return append(list,
		view{"difference", func(b *tab) {
			b.turnTo("Diff")
			b.press("d")
			b.until(`document.body.innerText.includes('Marked')`, "the event is marked")
			b.choose("session:set_state")
			b.tells("Marked")
		}},
		view{"figures", func(b *tab) {
			if b.narrow() {
				return // has no room for them
			}
			b.click(`inspector.find('summary', 'As a table')[0]`)
			b.until(`inspector.all('details[open] table').length === 1`, "the figures are shown")
		}},
		view{"help", func(b *tab) {
			b.press("\x1b?")
			b.until(`inspector.all('dialog,[role=dialog]').length > 0`, "the help is shown")
		}},
		view{"filter", func(b *tab) {
			b.press("\x1b")
			b.requestsMayFail(true)
			b.filter("is:nonsense")
			b.until(`document.body.innerText.includes('nonsense')`, "what is wrong is shown")
		}},
		view{"nothing", func(b *tab) { b.filter("nobody-said-this"); b.has(0) }},
	)
}

// In each view, both widths and both schemes: axe-core finds nothing, and nothing is
// wider than the window.
func TestEveryViewIsAccessible(t *testing.T) {
	for _, w := range windows {
		t.Run(w.String(), func(t *testing.T) {
			_, b := filled(t)
			b.resize(w)
			for _, v := range views() {
				v.show(b)
				eval[any](b, `inspector.painted().then(() => 1)`)
				assert.Empty(t, b.violations(), "%s", v.name)
				assert.LessOrEqual(t, eval[float64](b, `document.scrollingElement.scrollWidth`), float64(w.width), "%s is no wider than the window", v.name)
				b.screenshot(v.name + "-" + w.String())
			}
			b.filter("")
		})
	}
}
