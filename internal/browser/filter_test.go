//go:build browser && unix

package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// filterField finds the field of the filter.
const filterField = `inspector.all('input[type=search]')[0]`

// filter writes a query into the filter, in place of the one that is there.
func (b *tab) filter(query string) {
	b.t.Helper()
	eval[any](b, `(() => { const field = `+filterField+`; field.focus(); field.select(); return 1; })()`)
	if query == "" {
		b.press("\b")
		return
	}
	b.write(query)
}

// filterTimed types a query but for its last character, lets the page come to rest, and
// measures how long the last character takes until the list shows what it finds.
const filterTimed = `(async (query) => {
	const field = ` + filterField + `;
	const type = (text) => { field.value = text; field.dispatchEvent(new InputEvent('input', {bubbles: true, inputType: 'insertText'})); };
	const rest = (ms) => new Promise((done) => setTimeout(done, ms));
	const {host} = location, token = new URLSearchParams(location.search).get('token') ?? '';
	let asked;
	const seen = new PerformanceObserver((list) => { for (const e of list.getEntries()) if (e.name.includes('only=ids')) asked = e; });
	seen.observe({type: 'resource'});
	type(query.slice(0, -1));
	await rest(400);
	asked = undefined;
	performance.clearResourceTimings();
	const before = inspector.size() + inspector.rows().map((r) => r.id).join();
	const began = performance.now();
	type(query);
	let settled = began, last = before;
	for (let quiet = 0; quiet < 20;) {
		await inspector.painted();
		const now = inspector.size() + inspector.rows().map((r) => r.id).join();
		if (now !== last) { settled = performance.now(); last = now; quiet = 0; } else quiet++;
	}
	seen.disconnect();
	if (last === before) settled = asked?.responseEnd ?? began - 1; // it was asked, and finds the same
	return {MS: settled - began, Size: inspector.size()};
})(%s)`

func TestFilter(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	for i := range 20 {
		r.say(conversation(i%4), fmt.Sprintf("message %d.", i))
		r.send(event(t, "session:set_state", map[string]any{"session_id": "session_" + conversation(i%4)}))
	}
	b.has(40)
	for query, want := range map[string]int{
		"event:message:*":                                    20,
		"session:session_" + conversation(1):                 10,
		"event:session:* session:session_" + conversation(1): 5,
		`"message 7."`:                                       1,
		"MESSAGE -event:session:*":                           20,
		"nobody-said-this":                                   0,
	} {
		b.filter(query)
		b.has(want)
		b.filter("")
		b.has(40)
	}
	b.filter("event:message:*")
	b.has(20)
	r.say(conversation(9), "it also holds for what comes")
	r.send(event(t, "session:set_state", map[string]any{"session_id": "session_" + conversation(9)}))
	b.has(21)
	b.shows("it also holds for what comes")

	b.until(`location.hash.includes('event')`, "the address keeps the filter")
	b.do(reload)
	b.has(21)
	assert.Equal(t, "event:message:*", eval[string](b, filterField+`.value`))

	b.requestsMayFail(true)
	b.filter("is:nonsense")
	b.until(`(() => {
		const field = `+filterField+`;
		const of = (field.getAttribute('aria-errormessage') ?? '') + ' ' + (field.getAttribute('aria-describedby') ?? '');
		return of.split(' ').some((id) => document.getElementById(id)?.innerText.includes('nonsense'));
	})()`, "what is wrong with the query is said")
	b.screenshot("filter-wrong")
}

func TestChips(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	for i := range 5 {
		r.say(conversation(i), "hello")
		r.send(event(t, "session:set_state", map[string]any{"session_id": "session_" + conversation(i)}))
		r.send(event(t, "people:profile:updated", map[string]any{"people_id": conversation(i)}))
	}
	b.has(15)
	b.click(`inspector.find('button[aria-pressed]', 'message')[0]`)
	b.until(`inspector.size() === 5 || inspector.size() === 10`, "a chip leaves some of the events")
	b.click(`inspector.find('button[aria-pressed]', 'message')[0]`)
	b.has(15)
}

func TestWhatIsShownIsExported(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	for i := range 6 {
		r.say(conversation(i%2), fmt.Sprintf("message %d.", i))
	}
	b.filter("session:session_" + conversation(1))
	b.has(3)
	b.until(`inspector.find('a', 'Export')[0].href.includes('session')`, "the link has the filter")
	exported := eval[string](b, `fetch(inspector.find('a', 'Export')[0].href).then((answer) => answer.text())`)
	for i := range 6 {
		assert.Equal(t, i%2 == 1, strings.Contains(exported, fmt.Sprintf("message %d.", i)), "message %d", i)
	}
	assert.NotContains(t, exported, tokenOf(t, b))
}
