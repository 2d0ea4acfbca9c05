package socketio

import "encoding/json"

// An Event is a Socket.IO event. Its slices are valid until the next call of
// [Conn.Next].
type Event struct {
	// Name is the event's name, decoded.
	Name []byte
	// Args is what follows the name: JSON values separated by commas, not
	// validated, or nil if there is none.
	Args []byte
}

// Arg returns the first argument as JSON text, or nil if there is none. It isn't
// validated; one without a clear end extends to the end of the arguments.
func (e Event) Arg() []byte { return firstValue(e.Args) }

// LikelyArg is a faster Arg for events with a single argument, as nearly all are. If there are
// several, of which the first and the last are objects, it returns all of them: a caller whose
// decoder finds that out gets the first by FirstValue. Making sure takes as long as decoding.
func (e Event) LikelyArg() []byte { return likelyFirstValue(e.Args) }

// parseEvent splits the JSON array of an event into its name and its arguments.
// Only the name is parsed.
func parseEvent(data []byte) (name, args []byte, err error) {
	data = trimLeft(data)
	if len(data) < 2 || data[0] != '[' || data[len(data)-1] != ']' {
		return nil, nil, errEventSyntax
	}
	name, rest, err := cutString(trimLeft(data[1 : len(data)-1]))
	if err != nil {
		return nil, nil, err
	}
	rest = trimLeft(rest)
	if len(rest) == 0 {
		return name, nil, nil
	}
	args = trimLeft(trimRight(rest[1:]))
	if rest[0] != ',' || len(args) == 0 {
		return nil, nil, errEventSyntax
	}
	return name, args, nil
}

// cutString decodes the JSON string that b starts with. It aliases b if it is
// ASCII without escapes, as the names of all known events are.
func cutString(b []byte) (s, rest []byte, err error) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, errEventName
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], nil
		case c == '\\' || c < ' ' || c >= 0x80:
			return cutUnusualString(b)
		}
	}
	return nil, nil, errEventName
}

func cutUnusualString(b []byte) (s, rest []byte, err error) {
	end := 1 + stringEnd(b[1:])
	var decoded string
	if json.Unmarshal(b[:end], &decoded) != nil {
		return nil, nil, errEventName
	}
	return []byte(decoded), b[end:], nil
}
