// Package trigger makes web hooks on demand, both good ones and ones that a program must
// refuse, and says how to deliver them.
package trigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/crisptest"
)

// Event says which event to make.
type Event struct {
	Name      string // empty if Data is a whole body
	Data      []byte // the payload or the whole body, byte for byte; nil for a sample
	WebsiteID string // replaces the sample's, unless it is empty
	Edits     jsontext.Edits
	At        time.Time // time of the first event; each further one is a millisecond later
}

// Made is the result of Make.
type Made struct {
	Name    string // empty if there is none in the body
	Payload []byte
	Body    []byte
	Missing []jsontext.Path // the edits' paths that did not exist
}

// Make makes the event with an index. Samples with different indices are different
// events, so that no program takes one for a repetition; Data stays the same.
func (e Event) Make(index int) (made Made, err error) {
	at := e.At.Add(time.Duration(index) * time.Millisecond)
	switch {
	case e.Name == "":
		return e.whole()
	case isBody(e.Data) && len(e.Edits) > 0:
		return made, errors.New("the data are a whole body rather than a payload: without an event, it can be changed")
	case isBody(e.Data):
		return e.whole()
	case e.Data == nil:
		info, found := eventinfo.Find(e.Name)
		if !found {
			return made, eventinfo.Unknown(e.Name)
		}
		made.Name = info.Name
		made.Payload = e.fresh(crisptest.Sample(info.Name).EventMeta().Raw, at)
	case !json.Valid(e.Data):
		return made, errors.New("the data are no JSON, which an event's have to be: without an event, they are sent as the whole body")
	default:
		made.Name, made.Payload = e.Name, e.Data
		if info, found := eventinfo.Find(e.Name); found {
			made.Name = info.Name
		}
	}
	if made.Payload, made.Missing, err = e.Edits.Apply(made.Payload); err != nil {
		return made, err
	}
	made.Body = record.Body(text(made.Payload, "website_id"), made.Name, made.Payload, at)
	return made, nil
}

// whole uses the data as the whole body.
func (e Event) whole() (made Made, err error) {
	made.Body = e.Data
	isJSON := json.Valid(e.Data)
	if len(e.Edits) > 0 {
		if !isJSON {
			return made, errors.New("the body is no JSON, of which something could be changed")
		}
		if made.Body, made.Missing, err = e.Edits.Apply(e.Data); err != nil {
			return made, err
		}
	}
	if isJSON {
		made.Name = text(made.Body, "event")
		made.Payload, _ = jsontext.Get(made.Body, jsontext.Path{"data"})
	}
	return made, nil
}

// isBody reports whether data are a whole body, such as one that --print wrote, rather
// than a payload.
func isBody(data []byte) bool {
	if !json.Valid(data) {
		return false
	}
	for _, member := range []string{"website_id", "event", "data", "timestamp"} {
		if _, found := jsontext.Get(data, jsontext.Path{member}); !found {
			return false
		}
	}
	return true
}

// fresh gives a sample the time, and e's website.
func (e Event) fresh(payload []byte, at time.Time) []byte {
	replace := func(member, value string) {
		if _, found := jsontext.Get(payload, jsontext.Path{member}); found {
			payload, _, _ = jsontext.Set(payload, jsontext.Path{member}, json.RawMessage(value)) // can't fail: it is an object
		}
	}
	ms := strconv.FormatInt(at.UnixMilli(), 10)
	replace("timestamp", ms)
	replace("fingerprint", ms+"00") // about as many digits as Crisp's
	if e.WebsiteID != "" {
		quoted, _ := json.Marshal(e.WebsiteID) // can't fail for a string
		replace("website_id", string(quoted))
	}
	return payload
}

// text returns a member of an object; empty if it is not a string.
func text(doc []byte, member string) (value string) {
	found, _ := jsontext.Get(doc, jsontext.Path{member})
	_ = json.Unmarshal(found, &value) // other types leave it empty
	return value
}

// ParseTime reads a time: RFC 3339, or a duration that is added to now, such as -10m.
func ParseTime(value string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(value); err == nil {
		return now.Add(d), nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return at, fmt.Errorf("%q is no time such as 2026-03-15T10:00:00Z, nor a distance from now such as -10m", value)
	}
	return at, nil
}
