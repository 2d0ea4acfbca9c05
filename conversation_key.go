package crisp

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// conversationKey stands for a [SessionRef] that has to be remembered. It takes 48 bytes instead
// of 128, and pins nothing, while an identifier that is part of an event keeps its whole payload
// in memory. It is no hash: different conversations have different keys.
type conversationKey struct {
	website, session [16]byte // UUIDs, if both identifiers have their usual form
	other            string   // both identifiers, if they don't; then it is not empty
}

func keyOf(ref SessionRef) conversationKey {
	website, usual := parseUUID(ref.WebsiteID)
	session, usualToo := parseSessionID(ref.SessionID)
	if usual && usualToo {
		return conversationKey{website: website, session: session}
	}
	return conversationKey{other: strconv.Itoa(len(ref.WebsiteID)) + ":" + ref.WebsiteID + ref.SessionID}
}

func (k conversationKey) ref() SessionRef {
	if k.other == "" {
		return SessionRef{WebsiteID: formatUUID("", k.website), SessionID: formatUUID(sessionPrefix, k.session)}
	}
	length, ids, _ := strings.Cut(k.other, ":")
	n, _ := strconv.Atoi(length)
	return SessionRef{WebsiteID: ids[:n], SessionID: ids[n:]}
}

// sessionKey stands for a session_id alone, in the same way.
type sessionKey struct {
	uuid  [16]byte
	other string
}

func sessionKeyOf(id string) sessionKey {
	if uuid, usual := parseSessionID(id); usual {
		return sessionKey{uuid: uuid}
	}
	return sessionKey{other: ":" + id}
}

// sessionPrefix begins a session_id of the usual form. A UUID follows.
const sessionPrefix = "session_"

func parseSessionID(id string) (uuid [16]byte, usual bool) {
	text, prefixed := strings.CutPrefix(id, sessionPrefix)
	if !prefixed {
		return uuid, false
	}
	return parseUUID(text)
}

// uuidLength is that of a UUID's text.
const uuidLength = len("00000000-0000-0000-0000-000000000000")

// dashBefore reports whether a UUID's text has a dash before byte i.
func dashBefore(i int) bool { return i == 4 || i == 6 || i == 8 || i == 10 }

// parseUUID reads a UUID in lower case: in the form that formatUUID writes.
func parseUUID(text string) (uuid [16]byte, ok bool) {
	if len(text) != uuidLength {
		return uuid, false
	}
	at := 0
	for i := range uuid {
		if dashBefore(i) {
			if text[at] != '-' {
				return [16]byte{}, false
			}
			at++
		}
		if uuid[i], ok = hexByte(text[at:]); !ok {
			return [16]byte{}, false
		}
		at += 2
	}
	return uuid, true
}

// hexByte reads the first two digits of a text, in lower case.
func hexByte(text string) (b byte, ok bool) {
	high, low := hexDigit(text[0]), hexDigit(text[1])
	return high<<4 | low, high < 16 && low < 16
}

// hexDigit is the value of a digit; more than 15 if it is none.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

func formatUUID(prefix string, uuid [16]byte) string {
	text := append(make([]byte, 0, len(prefix)+uuidLength), prefix...)
	for i := range uuid {
		if dashBefore(i) {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, uuid[i:i+1])
	}
	return string(text)
}
