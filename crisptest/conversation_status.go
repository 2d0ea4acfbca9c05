package crisptest

import (
	"slices"
	"time"
)

// Participant is somebody who takes part in a conversation by another way.
type Participant struct {
	Type   string `json:"type"`   // such as "email"
	Target string `json:"target"` // such as the address
}

// Reminder is a note that an operator wants to see again later. Crisp does not
// document what follows when it is due; here nothing does.
type Reminder struct {
	Due  time.Time
	Note string
}

// maxReminders is how many reminders a conversation has at most.
const maxReminders = 100

func (c *liveConversation) remind(r Reminder) {
	c.Reminders = append(c.Reminders[max(0, len(c.Reminders)+1-maxReminders):], r)
	c.touch()
}

func (c *liveConversation) setParticipants(participants []Participant) {
	if slices.Equal(c.Participants, participants) {
		return
	}
	c.Participants = participants
	c.emit("session:set_participants", map[string]any{"participants": participants})
}

func (c *liveConversation) setBlocked(blocked bool) {
	if c.Blocked == blocked {
		return
	}
	c.Blocked = blocked
	c.emit("session:set_block", map[string]any{"is_blocked": blocked})
}

// setOpened sends that an operator looks at the conversation, or no longer does.
func (c *liveConversation) setOpened(opened bool) {
	event := "session:set_closed"
	if opened {
		event = "session:set_opened"
	}
	c.emit(event, map[string]any{"operator": map[string]any{"user_id": operatorID, "nickname": "crisptest"}})
}
