package bridge

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/crisp-go/crisp"
)

// Control is a message of the log that is no event: a [*Gap], [*Backfilled] or
// [*Dropped], which [Intake.Hooks] stores, or a [*Stub].
type Control interface{ isControl() }

// Gap is a span of time in which RTM events may have been missed: see [crisp.Gap].
type Gap struct {
	From   time.Time       `json:"from"`
	To     time.Time       `json:"to"`
	Reason crisp.GapReason `json:"reason"`
}

// Backfilled is what became of a gap: see [crisp.Backfilled].
type Backfilled struct {
	Gap           Gap    `json:"gap"`
	Complete      bool   `json:"complete"`
	Messages      int    `json:"messages"`        // that were fetched
	Conversations int    `json:"conversations"`   // that were looked at
	Requests      int    `json:"requests"`        // to the REST API
	Error         string `json:"error,omitempty"` // why it is not complete
}

// Dropped are events that were received but not stored: see [crisp.Dropped].
type Dropped struct {
	Count int    `json:"count"` // of events
	Error string `json:"error"` // why they were not stored
}

// Stub stands for an event that was too large for the engine. It is in its
// conversation's order.
type Stub struct {
	Message Message `json:"-"` // has the event's attributes; its Data are not the payload
	Reason  string  `json:"reason"`
	Size    int     `json:"size"` // of the payload, in bytes
	Max     int     `json:"max"`  // that the engine takes, about
}

func (*Gap) isControl()        {}
func (*Backfilled) isControl() {}
func (*Dropped) isControl()    {}
func (*Stub) isControl()       {}

// Types of messages that are no events.
const (
	TypeGap        = controlPrefix + "gap"
	TypeBackfilled = controlPrefix + "backfilled"
	TypeDropped    = controlPrefix + "dropped"
)

// ParseControl returns the Control in a message; ok is false if the message is an event. It is an
// error if the message can't be read, or if its Type is not known.
func ParseControl(m Message) (c Control, ok bool, err error) {
	switch {
	case !m.control():
		return nil, false, nil
	case m.Stub != "":
		c = &Stub{Message: m}
	case m.Type == TypeGap:
		c = new(Gap)
	case m.Type == TypeBackfilled:
		c = new(Backfilled)
	case m.Type == TypeDropped:
		c = new(Dropped)
	default:
		return nil, true, errors.New("bridge: a control message of a type that this version does not know: a newer one has stored it")
	}
	if err := json.Unmarshal(m.Data, c); err != nil {
		return nil, true, fmt.Errorf("bridge: a control message of type %s can't be read", m.Type)
	}
	return c, true, nil
}

// newControl makes the message of something that an RTM client reports besides events.
func newControl(kind string, c Control) Message {
	data, _ := json.Marshal(c) // can't fail: it has only texts, numbers and times
	var id [32]byte
	_, _ = rand.Read(id[:]) // which never fails
	return Message{ID: hex.EncodeToString(id[:]), Type: kind, Time: time.Now().UTC(), Source: crisp.SourceRTM, Data: data}
}

// newStub makes the message that stands for one that the engine does not take.
func newStub(m Message, tooLarge *TooLargeError) Message {
	stub := &Stub{Reason: tooLarge.Error(), Size: len(m.Data), Max: tooLarge.Max}
	m.Data, _ = json.Marshal(stub) // can't fail, likewise
	m.Stub = stub.Reason
	return m
}

func gapOf(g crisp.Gap) Gap { return Gap{From: g.From.UTC(), To: g.To.UTC(), Reason: g.Reason} }

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
