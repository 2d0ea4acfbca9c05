//go:build browser && unix

package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overwrite writes a text over another one in the text field of the chosen tab.
func (b *tab) overwrite(old, text string) {
	b.t.Helper()
	field := `inspector.all('textarea', ` + panel + `)[0]`
	b.until(fmt.Sprintf(`%s?.value.includes(%s)`, field, quote(old)), "the text to be edited is there")
	eval[any](b, fmt.Sprintf(`(() => {
		const field = %s, at = field.value.indexOf(%s);
		field.focus();
		field.setSelectionRange(at, at + %d);
		return 1;
	})()`, field, quote(old), len(old)))
	b.write(text)
}

func TestEventIsChangedAndSentAgain(t *testing.T) {
	m := newMachine(t)
	program := newTarget(t)
	r := m.receive(":0", "-f", program.url)
	b := m.open(wide, r.page())
	r.say(conversation(1), "as it came")
	b.choose("as it came")
	assert.Equal(t, "as it came", program.arrivals(1)[0].content(t))

	b.turnTo("Edit")
	b.overwrite("as it came", "as it is sent again")
	b.screenshot("edit")
	b.click(button("Send"))
	again := program.arrivals(2)[1]
	assert.Equal(t, "as it is sent again", again.content(t))
	assert.NoError(t, again.error, "it is signed anew")
	assert.Equal(t, "1", again.attempt)
	b.until(`inspector.rows().some((row) => row.selected && row.text.includes('as it is sent again'))`, "the new event is in the list, and chosen")
	require.Len(t, of(b.everything(), "event"), 2)
	b.turnTo("Deliveries")
	b.tells("200")
}

func TestWhatCannotBeSentIsSaid(t *testing.T) {
	m := newMachine(t)
	program := newTarget(t)
	r := m.receive(":0", "-f", program.url)
	b := m.open(wide, r.page())
	r.say(conversation(1), "as it came")
	b.choose("as it came")
	program.arrivals(1)
	b.turnTo("Edit")
	b.overwrite(`"event"`, `"event`)
	b.until(`/line \d+/i.test(`+panel+`.innerText)`, "the line that is no JSON is told")
}

func TestEventIsSentAgainByAKey(t *testing.T) {
	m := newMachine(t)
	program := newTarget(t)
	r := m.receive(":0", "-f", program.url)
	b := m.open(wide, r.page())
	r.say(conversation(1), "once more")
	b.choose("once more")
	program.arrivals(1)
	b.press("r")
	b.until(`inspector.name(document.activeElement) === 'Send'`, "nothing is left but to confirm it")
	b.press(kb.Enter)
	again := program.arrivals(2)[1]
	assert.NoError(t, again.error, "it is signed anew")
	assert.Equal(t, "once more", again.content(t))
}
