//go:build browser && unix

package browser

import "testing"

func TestDifferenceOfTwoEvents(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	r.say(conversation(1), "the one text")
	r.say(conversation(1), "the other text")
	b.choose("the one text")
	b.press("d")
	b.choose("the other text")
	b.turnTo("Diff")
	b.tells("content")
	b.tells("the one text")
	b.tells("the other text")
	b.screenshot("diff")
}
