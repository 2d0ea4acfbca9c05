//go:build browser && unix

package browser

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// row is a row of the list, as it is on the screen.
type row struct {
	ID       string
	Kind     string
	Text     string
	Position int
	Selected bool
	Top      float64
	Bottom   float64
}

// rows returns those that the list's window shows.
func (b *tab) rows() []row {
	b.t.Helper()
	return eval[[]row](b, `inspector.rows()`)
}

// everything returns all rows of the list, which it scrolls through.
func (b *tab) everything() []row {
	b.t.Helper()
	return eval[[]row](b, `inspector.everything()`)
}

// has waits until the list has that many rows.
func (b *tab) has(rows int) {
	b.t.Helper()
	b.until(fmt.Sprintf(`inspector.size() === %d`, rows), fmt.Sprintf("the list has %d rows", rows))
}

// shows waits until there is a text in a row of the list's window.
func (b *tab) shows(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`inspector.rows().some((row) => row.text.includes(%s))`, quote(text)), "the list shows "+text)
}

// open opens the row with a text, by a click.
func (b *tab) choose(text string) {
	b.t.Helper()
	b.shows(text)
	b.click(fmt.Sprintf(`inspector.all('[data-kind]', inspector.list()).find((row) => row.innerText.includes(%s))`, quote(text)))
}

// of returns the rows of a kind.
func of(rows []row, kind string) (found []row) {
	for _, r := range rows {
		if r.Kind == kind {
			found = append(found, r)
		}
	}
	return found
}

// ids returns what rows are known by, each of which has to be there once.
func ids(t *testing.T, rows []row) (found []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range rows {
		if r.ID == "" {
			continue // a row of the page's own
		}
		assert.False(t, seen[r.ID], "%s is in the list twice: %s", r.ID, r.Text)
		seen[r.ID] = true
		found = append(found, r.ID)
	}
	return found
}

func TestListShowsWhatComes(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	r.say(conversation(1), "said before the page was there")
	b := m.open(wide, r.page())
	b.shows("said before the page was there")
	for i := range 60 {
		r.say(conversation(i%3), fmt.Sprintf("message %d.", i))
	}
	b.has(61)
	b.shows("message 59.") // it follows the end
	all := b.everything()
	assert.Len(t, ids(t, all), 61)
	for i, row := range all[1:] {
		assert.Contains(t, row.Text, fmt.Sprintf("message %d.", i), "the order is that in which they came")
		assert.Contains(t, row.Text, "message:send")
	}
}

func TestListStaysWhereOneReads(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	for i := range 100 {
		r.say(conversation(i%3), fmt.Sprintf("message %d.", i))
	}
	b.has(100)
	eval[any](b, `inspector.scrollTo(0).then(() => 1)`)
	first := b.rows()[0]
	assert.Contains(t, first.Text, "message 0.")
	for i := range 7 {
		r.say(conversation(i), "later")
	}
	b.until(`inspector.find('button', '7 new').length === 1`, "what has come since is counted")
	assert.Equal(t, first.Text, b.rows()[0].Text)
	b.click(`inspector.find('button', '7 new')[0]`)
	b.shows("later")
}

// What tests of scrolling rely on.
func TestBlankRowIsNoticed(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	for i := range 60 {
		r.say(conversation(i%3), fmt.Sprintf("message %d.", i))
	}
	b.has(60)
	b.shows("message 59.")
	assert.Zero(t, eval[int](b, `inspector.blank()`))
	eval[any](b, `(inspector.all('[data-kind]', inspector.list())[5].style.visibility = 'hidden', 1)`)
	assert.Positive(t, eval[int](b, `inspector.blank()`))
}
