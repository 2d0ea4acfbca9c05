package crisptest

import (
	"encoding/json"
	"strconv"
	"strings"
)

// What is in several bodies.
var (
	eitherSide = oneOf(fromUser, fromOperator)
	author     = object(nil, members{"type": textual, "user_id": textual, "nickname": textual, "avatar": textual})
	scalar     = either(textual, number, boolean, null)
	proof      = object(members{"method": filled, "secret": filled}, nil) // that it is really somebody
)

// The bodies that REST takes. Any other is refused as invalid_data.
var (
	messageShape = object(
		members{"type": filled, "from": eitherSide, "origin": channel, "content": something},
		members{
			"fingerprint": whole,
			"timestamp":   whole,
			"user":        author,
			"mentions":    listOf(0, filled),
			"references":  listOf(0, object(members{"type": filled, "name": filled, "target": filled}, nil)),
			"original":    either(knownOriginal, newOriginal),
			"properties":  mapOf(scalar),
			"stealth":     boolean,
			"translated":  boolean,
			"automated":   boolean,
		})
	knownOriginal = object(members{"original_id": filled}, nil)
	newOriginal   = object(members{"type": filled, "content": filled}, nil)
	editShape     = object(members{"content": something}, nil)

	composeShape = object(
		members{"type": oneOf("start", "stop"), "from": eitherSide},
		members{"excerpt": textual, "stealth": boolean, "automated": boolean})
	receiptsShape = object(
		members{"from": eitherSide, "origin": channel},
		members{"fingerprints": listOf(0, either(whole, digits))})
	unreadShape = object(members{"from": eitherSide}, nil)

	stateShape = object(
		members{"state": oneOf(statePending, stateUnresolved, stateResolved)},
		members{"user": author, "origin": channel})
	routingShape = object(
		members{"assigned": either(null, object(members{"user_id": filled}, nil))},
		members{"silent": boolean})
	inboxShape = object(members{"inbox_id": either(null, filled)}, nil)
	metaShape  = object(nil, members{
		"nickname":   textual,
		"email":      textual,
		"phone":      textual,
		"address":    textual,
		"subject":    textual,
		"avatar":     textual,
		"origin":     textual,
		"ip":         textual,
		"data":       mapOf(scalar),
		"segments":   listOf(0, textual),
		"connection": mapOf(anything),
		"device":     mapOf(anything),
	})
)

// contents are the contents of messages by their types.
var contents = map[string]shape{
	"text":      filled,
	"note":      filled,
	"file":      object(members{"name": filled, "url": absoluteURL, "type": filled}, nil),
	"animation": object(members{"url": absoluteURL, "type": filled}, nil),
	"audio":     object(members{"url": absoluteURL, "type": filled, "duration": positive}, nil),
	"picker": object(
		members{"id": filled, "text": filled, "choices": listOf(1, object(
			members{"value": filled, "label": filled},
			members{"icon": textual, "selected": boolean, "action": object(members{"type": filled, "target": filled}, nil)},
		))},
		members{"required": boolean}),
	"field": object(
		members{"id": filled, "text": filled, "explain": filled},
		members{"value": textual, "required": boolean}),
	"carousel": object(members{"text": filled, "targets": listOf(1, object(
		members{"title": filled, "description": filled},
		members{"image": absoluteURL, "actions": listOf(0, object(members{"label": filled, "url": absoluteURL}, nil))},
	))}, nil),
	"event": object(members{"namespace": filled}, members{"text": textual}),
}

// validContent reports whether a message of this type can have the content. Crisp
// gets new types now and then: of those, only that they have some is known.
func validContent(kind string, content json.RawMessage) bool {
	if is, known := contents[kind]; known {
		return is.fits(content)
	}
	return shape(something).fits(content)
}

// fingerprints are numbers, or texts with their digits: examples of Crisp's have
// those.
type fingerprints []int64

// UnmarshalJSON accepts a list of either.
func (f *fingerprints) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || list == nil {
		return err
	}
	*f = fingerprints{}
	for _, raw := range list {
		n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
		if err != nil {
			return err
		}
		*f = append(*f, n)
	}
	return nil
}
