package payload

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Eight bytes at a time: one bit, or all of a byte, in each of the eight.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// String reads a string.
func (d *Decoder) String(p Presence) string {
	if d.char() != '"' {
		d.mismatch(String, p)
		return ""
	}
	return d.text()
}

// Strings reads an array of strings.
func (d *Decoder) Strings(p Presence) []string {
	if !d.Array(p) {
		return nil
	}
	var all []string
	for d.More() {
		if all == nil {
			all = make([]string, 0, 4)
		}
		all = append(all, d.String(Required))
	}
	return all
}

// text reads the string at the cursor.
func (d *Decoder) text() string {
	start := d.pos + 1
	end, seen := stop(d.data, start)
	if end == len(d.data) || d.data[end] != '"' {
		return unquote(d.quotedFrom(start, end))
	}
	d.pos = end + 1
	raw := d.data[start:end]
	if seen&highs == 0 || utf8.Valid(raw) {
		return alias(raw)
	}
	return unquote(raw)
}

// quoted moves over the string at the cursor and returns what stands between
// the quotes.
func (d *Decoder) quoted() []byte {
	start := d.pos + 1
	end, _ := stop(d.data, start)
	return d.quotedFrom(start, end)
}

// quotedFrom is quoted for a string that starts at start and whose first stop
// is at i.
func (d *Decoder) quotedFrom(start, i int) []byte {
	for ; ; i, _ = stop(d.data, i) {
		d.pos = i
		switch d.char() {
		case '"':
			d.pos++
			return d.data[start:i:i]
		case '\\':
			n := escapeLen(d.data[i:])
			if n == 0 {
				d.fail("an escape that JSON has")
				return nil
			}
			i += n
		default:
			d.fail("the end of the string, and no control character before it")
			return nil
		}
	}
}

// stop finds the first quote, backslash or control character from i on, the
// end if there is none. No byte on the way had bits that are not set in seen.
func stop(data []byte, i int) (at int, seen uint64) {
	for ; i+8 <= len(data); i += 8 {
		word := binary.LittleEndian.Uint64(data[i:])
		seen |= word
		if stops := stopsIn(word); stops != 0 {
			return i + bits.TrailingZeros64(stops)/8, seen
		}
	}
	for ; i < len(data); i++ {
		c := data[i]
		if c == '"' || c == '\\' || c < ' ' {
			break
		}
		seen |= uint64(c)
	}
	return i, seen
}

// stopsIn marks the quotes, backslashes and control characters among eight
// bytes, by their highest bits. The lowest mark is always right; a borrow may
// set wrong ones above it.
func stopsIn(word uint64) uint64 {
	const flip = 2 // makes a quote the one above the control characters, and moves none of these out
	low := (word ^ flip*ones) - (('"'^flip)+1)*ones
	backslash := (word ^ '\\'*ones) - ones
	return (low | backslash) &^ word & highs
}

// escapeLen is the length of the escape sequence that data begin with, 0 if it
// is none.
func escapeLen(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(data[2:]); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads four hexadecimal digits.
func hex4(data []byte) (rune, bool) {
	if len(data) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range data[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote resolves escapes, which are known to be valid, and puts U+FFFD for
// what is no UTF-8 and for lone surrogates, as encoding/json does.
func unquote(raw []byte) string {
	text := make([]byte, 0, len(raw))
	for {
		plain := bytes.IndexByte(raw, '\\')
		if plain < 0 {
			return alias(appendUTF8(text, raw))
		}
		text = appendUTF8(text, raw[:plain])
		var r rune
		r, raw = unescape(raw[plain:])
		text = utf8.AppendRune(text, r)
	}
}

func appendUTF8(text, raw []byte) []byte {
	if utf8.Valid(raw) {
		return append(text, raw...)
	}
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		text = utf8.AppendRune(text, r)
		raw = raw[size:]
	}
	return text
}

// unescape reads the escape sequence, or the pair of them, that raw begins
// with, and returns what is behind it.
func unescape(raw []byte) (rune, []byte) {
	c, rest := raw[1], raw[2:]
	switch c {
	case 'b':
		return '\b', rest
	case 'f':
		return '\f', rest
	case 'n':
		return '\n', rest
	case 'r':
		return '\r', rest
	case 't':
		return '\t', rest
	case 'u':
		r, _ := hex4(rest)
		rest = rest[4:]
		if !utf16.IsSurrogate(r) {
			return r, rest
		}
		if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
			low, _ := hex4(rest[2:])
			if pair := utf16.DecodeRune(r, low); pair != unicode.ReplacementChar {
				return pair, rest[6:]
			}
		}
		return unicode.ReplacementChar, rest
	default:
		return rune(c), rest
	}
}

// alias makes a string that shares the memory of b.
//
// That is sound because nobody writes to b any more: it is either a buffer
// made for this string alone, or part of the data, which the Decoder demands
// to stay as they are.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // sound, see above
}
