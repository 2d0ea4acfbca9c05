//go:build browser && unix

package browser

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
)

// focused describes what has the focus, and whether one can see that.
type focused struct {
	Name    string
	Tag     string
	Visible bool // it is on the screen
	Marked  bool // and looks different from when it hasn't the focus
}

// focus says what has the focus.
func (b *tab) focus() focused {
	b.t.Helper()
	return eval[focused](b, `(() => {
		const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
		const looks = () => { const s = getComputedStyle(e); return [s.outlineStyle, s.outlineWidth, s.outlineColor, s.boxShadow, s.borderColor, s.backgroundColor, s.textDecoration].join(); };
		const descendant = document.getElementById(e.getAttribute('aria-activedescendant'));
		const ring = (s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1 || s.boxShadow !== 'none';
		return {
			Name: inspector.name(e).trim().slice(0, 40), Tag: e.tagName + (e.id && '#' + e.id) + (e.getAttribute('role') ? '[' + e.getAttribute('role') + ']' : ''),
			Visible: inspector.shown(e) && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
			Marked: ring(style) || Boolean(descendant) && ring(getComputedStyle(descendant)),
		};
	})()`)
}

// Everything that can be clicked on is reached by Tab, or by arrows within what Tab
// reaches, and has a focus that one sees.
func TestEverythingIsReachedByTab(t *testing.T) {
	for _, w := range []window{wide, narrow} {
		t.Run(w.String(), func(t *testing.T) {
			_, b := filled(t)
			b.resize(w)
			b.choose("drifted")
			for _, tab := range tabs {
				b.turnTo(tab)
				b.walk(tab)
			}
		})
	}
}

// walk presses Tab until it is where it was before.
func (b *tab) walk(where string) {
	b.t.Helper()
	b.until(`inspector.all('pre', `+panel+`).every((pre) => pre.textContent !== '')`, "nothing moves any more")
	eval[any](b, `(document.activeElement.blur(), window.reached = new Set(), 1)`)
	for range 400 {
		b.press("\t")
		f := b.focus()
		if f.Tag == "BODY" {
			continue // from the last to the first
		}
		assert.True(b.t, f.Visible, "%s: %+v is on the screen", where, f)
		assert.True(b.t, f.Marked, "%s: %+v looks focused", where, f)
		if eval[bool](b, `(reached.has(document.activeElement) || (reached.add(document.activeElement), false))`) {
			break
		}
	}
	missed := eval[[]string](b, `inspector.all('button,a[href],input,select,textarea,summary,[role=tab],[role=listbox],[role=grid],[role=tree]')
		.filter((e) => !e.disabled && !reached.has(e))
		.filter((e) => !(e.tabIndex === -1 && e.closest('[role=tablist],[role=listbox],[role=grid],[role=tree],[role=radiogroup],[role=toolbar]')))
		.filter((e) => !(e.type === 'radio' && [...reached].some((r) => r.name === e.name)))
		.map((e) => e.tagName + ' ' + inspector.name(e).trim().slice(0, 40))`)
	assert.Empty(b.t, missed, "%s: what Tab doesn't reach", where)
}

// selected is the text of the row that is chosen.
func (b *tab) selected() string {
	b.t.Helper()
	for _, row := range b.rows() {
		if row.Selected {
			return row.Text
		}
	}
	return ""
}

func TestKeysDoEverything(t *testing.T) {
	m := newMachine(t)
	program := newTarget(t)
	r := m.receive(":0", "-f", program.url)
	b := m.open(wide, r.page())
	for i := range 100 {
		r.say(conversation(i%3), fmt.Sprintf("message %d.", i))
	}
	b.has(100)
	program.arrivals(100)
	chosen := func(what, text string) {
		t.Helper()
		b.until(fmt.Sprintf(`inspector.rows().some((row) => row.selected && row.text.includes(%s))`, quote(text)), what+" chooses "+text)
	}
	for _, step := range []struct{ key, text string }{
		{"g", "message 0."}, {"j", "message 1."}, {"j", "message 2."}, {"k", "message 1."}, {"G", "message 99."},
		{"k", "message 98."}, {kb.Home, "message 0."}, {kb.ArrowDown, "message 1."}, {kb.ArrowUp, "message 0."}, {kb.End, "message 99."},
	} {
		b.press(step.key)
		chosen(step.key, step.text)
	}
	b.press(kb.PageUp)
	b.until(`inspector.rows().some((row) => row.selected && !row.text.includes('message 99.'))`, "PageUp chooses an earlier one")
	b.press(kb.PageDown)
	chosen("PageDown", "message 99.")

	tab := func(key, name string) {
		t.Helper()
		b.press(key)
		b.until(fmt.Sprintf(`inspector.find('[role=tab][aria-selected=true]', %s).length === 1`, quote(name)), key+" opens "+name)
	}
	b.press(kb.Enter)
	inside := panel + `?.contains(document.activeElement)`
	b.until(inside, "Enter leads to what is open")
	tab("c", "Conversation")
	b.until(inside, "c leads to the conversation")
	b.press(kb.Escape)
	b.until(`document.activeElement === inspector.list()`, "Escape leads back to the list")
	tab("e", "Edit")
	b.until(`document.activeElement.tagName === 'TEXTAREA'`, "the text can be edited at once")
	b.press("jk?") // are letters there
	b.until(`document.activeElement.value.includes('jk?')`, "letters in a text are no commands")
	assert.Contains(t, b.selected(), "message 99.")
	b.press(kb.Escape)
	b.until(`document.activeElement.tagName !== 'TEXTAREA'`, "Escape leaves the text")
	tab("y", "Copy")
	b.until(inside, "y leads to what can be copied")
	b.press(kb.Escape)

	b.press("/")
	b.until(`document.activeElement === `+filterField, "/ leads to the filter")
	b.requestsMayFail(true) // half a phrase is no query
	b.press(`"message 7"`)
	b.has(11)
	b.press(kb.Escape)
	b.until(`document.activeElement !== `+filterField, "Escape leaves the filter")
	b.filter("")
	b.has(100)
	b.requestsMayFail(false)
	b.press(kb.Escape)

	b.press("?")
	b.until(`inspector.all('dialog,[role=dialog]').length === 1`, "? shows the help")
	help := eval[string](b, `inspector.all('dialog,[role=dialog]')[0].innerText`)
	for _, key := range []string{"j", "k", "g", "G", "Enter", "Esc", "/", "r", "e", "d", "c", "y", "?"} {
		assert.Contains(t, help, key)
	}
	b.press(kb.Escape)
	b.until(`inspector.all('dialog,[role=dialog]').length === 0`, "Escape closes it")

	b.press("g")
	chosen("g", "message 0.")
	b.press("d")
	b.until(`document.body.innerText.includes('Marked')`, "d marks the event")
	b.press("G")
	chosen("G", "message 99.")
	tab("d", "Diff")
	b.tells("message 0.")
	b.press("r")
	b.until(`inspector.name(document.activeElement) === 'Send'`, "nothing is left but to confirm it")
	b.press(kb.Enter)
	again := program.arrivals(101)[100]
	assert.Equal(t, "message 99.", again.content(t))
	assert.NoError(t, again.error)
	b.until(`inspector.size() === 101`, "what was sent is in the list")
	b.press(kb.Escape)
	b.press(kb.Escape)
	b.until(panel+` === undefined`, "Escape goes back to the list alone")
}

func TestTabsAreChosenByArrows(t *testing.T) {
	_, b := filled(t)
	b.choose("drifted")
	b.turnTo(tabs[0])
	for _, name := range slices.Concat(tabs[1:], tabs[:1]) {
		b.press(kb.ArrowRight)
		b.until(fmt.Sprintf(`inspector.name(document.activeElement).trim().startsWith(%s)`, quote(name)), "the arrow leads to "+name)
		b.do(chromedp.KeyEvent(kb.Enter))
		b.until(fmt.Sprintf(`inspector.find('[role=tab][aria-selected=true]', %s).length === 1`, quote(name)), name+" is chosen")
	}
}
