package crisp

import (
	"encoding/hex"
	"strings"
	"unique"
)

// conversationKey stands for a [SessionRef] where one is remembered. It takes 32 bytes
// where the identifiers take 130, and pins nothing: an identifier that is part of an event
// keeps the whole payload in memory. It is no hash, so that no two conversations have the
// same.
type conversationKey struct {
	website unique.Handle[string] // of which there are few
	session sessionKey
}

func keyOf(ref SessionRef) conversationKey {
	return conversationKey{unique.Make(ref.WebsiteID), sessionKeyOf(ref.SessionID)}
}

func conversationOf(m *ConversationMessage) conversationKey {
	return keyOf((*MessageSend)(m).Session())
}

func (k conversationKey) ref() SessionRef {
	return SessionRef{WebsiteID: k.website.Value(), SessionID: k.session.String()}
}

// sessionKey stands for a session_id.
type sessionKey struct {
	uuid  [16]byte              // of one in the usual form
	other unique.Handle[string] // one in any other form; zero if it is in the usual one
}

// sessionPrefix is followed by a UUID in lower case.
const sessionPrefix = "session_"

func sessionKeyOf(id string) sessionKey {
	if text, ok := strings.CutPrefix(id, sessionPrefix); ok {
		if uuid, ok := parseUUID(text); ok {
			return sessionKey{uuid: uuid}
		}
	}
	return sessionKey{other: unique.Make(id)}
}

// String is the session_id.
func (k sessionKey) String() string {
	if k.other != (unique.Handle[string]{}) {
		return k.other.Value()
	}
	text := append(make([]byte, 0, len(sessionPrefix)+uuidLength), sessionPrefix...)
	for i := range k.uuid {
		if dashBefore(i) {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, k.uuid[i:i+1])
	}
	return string(text)
}

// uuidLength is that of a UUID's text.
const uuidLength = len("00000000-0000-0000-0000-000000000000")

// dashBefore reports whether there is a dash before a byte of a UUID.
func dashBefore(i int) bool { return i == 4 || i == 6 || i == 8 || i == 10 }

// parseUUID reads a UUID in lower case.
func parseUUID(text string) (uuid [16]byte, ok bool) {
	if len(text) != uuidLength {
		return uuid, false
	}
	at := 0
	for i := range uuid {
		if dashBefore(i) {
			if text[at] != '-' {
				return uuid, false
			}
			at++
		}
		high, ok := hexDigit(text[at])
		low, ok2 := hexDigit(text[at+1])
		if !ok || !ok2 {
			return uuid, false
		}
		uuid[i], at = high<<4|low, at+2
	}
	return uuid, true
}

func hexDigit(c byte) (digit byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
