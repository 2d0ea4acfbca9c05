package inspect

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// needle is a text that is looked for without regard to case.
type needle struct {
	plain  []byte   // in small letters
	quoted [][]byte // the ways in which JSON may have it, in small letters
	ascii  bool
}

func newNeedle(text string) needle {
	text = strings.ToLower(text)
	n := needle{plain: []byte(text), ascii: isASCII(text)}
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // any string can be encoded
	asCrisp := bytes.ToLower(unquoted(plain.Bytes()))
	n.quoted = [][]byte{asCrisp}
	escaped, _ := json.Marshal(text)
	if asGo := bytes.ToLower(unquoted(escaped)); !bytes.Equal(asGo, asCrisp) {
		n.quoted = append(n.quoted, asGo)
	}
	return n
}

func unquoted(text []byte) []byte { return bytes.Trim(bytes.TrimSpace(text), `"`) }

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// in reports whether a text has the needle in it.
func (n *needle) in(text string) bool {
	if n.ascii {
		return containsFolded([]byte(text), n.plain)
	}
	return strings.Contains(strings.ToLower(text), string(n.plain))
}

// inJSON is in for JSON, whose strings may have escapes.
func (n *needle) inJSON(text []byte) bool {
	lower := text
	if !n.ascii {
		lower = bytes.ToLower(text)
	}
	for _, quoted := range n.quoted {
		if n.ascii && containsFolded(text, quoted) || !n.ascii && bytes.Contains(lower, quoted) {
			return true
		}
	}
	if !bytes.Contains(text, []byte(`\u`)) {
		return false
	}
	return n.inStrings(text)
}

// inStrings looks into the strings of JSON, member names among them.
func (n *needle) inStrings(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if s, ok := token.(string); ok && n.in(s) {
			return true
		}
	}
}

// containsFolded reports whether a text has a part in it that is in small letters,
// without regard to the case of ASCII letters.
func containsFolded(text, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	lower, upper := part[0], part[0]
	if 'a' <= lower && lower <= 'z' {
		upper -= 'a' - 'A'
	}
	begins := text[:max(len(text)-len(part)+1, 0)] // where the part can begin
	nextLower, nextUpper := -1, -1
	for at := 0; ; at++ {
		nextLower = next(begins, lower, at, nextLower)
		nextUpper = next(begins, upper, at, nextUpper)
		if at = min(nextLower, nextUpper); at == len(begins) {
			return false
		}
		if equalFolded(text[at:at+len(part)], part) {
			return true
		}
	}
}

// next returns where a letter comes next, from a place on; len(text) if it doesn't. known is
// what it returned for an earlier place.
func next(text []byte, letter byte, from, known int) int {
	if known >= from {
		return known
	}
	if i := bytes.IndexByte(text[from:], letter); i >= 0 {
		return from + i
	}
	return len(text)
}

func equalFolded(text, lower []byte) bool {
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
