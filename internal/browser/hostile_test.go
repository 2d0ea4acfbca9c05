//go:build browser && unix

package browser

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp"
)

// Each event is opened in each of its tabs; the list is scrolled through.
func TestNoHostileTextRuns(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	began := time.Now()
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
	all := b.everything()
	assert.Len(t, ids(t, all), sent)
	t.Logf("%d events are sent and scrolled through after %s", sent, time.Since(began))
	b.press("g")
	opened := 0
	for opened < sent {
		// By portions, so that each evaluation is well within patience.
		opened += eval[int](b, openNext)
		assert.Empty(t, b.complaints())
		if t.Failed() {
			return
		}
	}
	assert.Equal(t, sent, opened, "events that were opened in each tab")
	t.Logf("%d events are opened in all tabs after %s", opened, time.Since(began))
}

// openNext opens the next events, each in all of its tabs, and returns how many.
const openNext = `(async () => {
	const chosen = () => inspector.rows().find((row) => row.selected)?.id;
	const key = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
	const end = performance.now() + 5000;
	let opened = 0;
	window.opened ??= new Set();
	while (performance.now() < end) {
		if (window.opened.size > 0) key('j');
		const id = chosen();
		if (!id || window.opened.has(id)) break;
		window.opened.add(id);
		await inspector.until(() => !document.querySelector('[aria-busy=true]'));
		for (const tab of inspector.find('[role=tab]')) {
			tab.click();
			await inspector.until(() => inspector.find('[role=tabpanel]').some((panel) => panel.childElementCount > 0 &&
				[...panel.querySelectorAll('pre')].every((pre) => pre.textContent !== '')));
		}
		opened++;
	}
	return opened;
})()`
