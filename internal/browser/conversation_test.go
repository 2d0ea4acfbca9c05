//go:build browser && unix

package browser

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestConversationIsShownAsAChat(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	b := m.open(wide, r.page())
	of := func(name string, changes map[string]any) []byte {
		changes["session_id"] = "session_" + conversation(1)
		return event(t, name, changes)
	}
	r.say(conversation(1), "Where is my order?")
	r.say(conversation(2), "of another conversation")
	r.send(of("session:set_state", map[string]any{"state": "resolved"}))
	r.send(of("message:received", map[string]any{"content": "On its way."}))
	b.choose("Where is my order?")
	b.turnTo("Conversation")
	for _, text := range []string{"Where is my order?", "On its way.", "session:set_state"} {
		b.tells(text)
	}
	assert.NotContains(t, eval[string](b, panel+`.innerText`), "of another conversation")
	r.say(conversation(1), "Thank you")
	b.tells("Thank you")
	b.screenshot("conversation")
}
