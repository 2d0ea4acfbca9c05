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

// Strings are searched eight bytes at a time, as one uint64. Multiplying a byte
// by ones repeats it eight times; highs are the highest bits of the eight bytes.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// String reads a string.
func (d *Decoder) String(p Presence) string {
	data, start := d.data, d.pos+1
	if start > len(data) || data[start-1] != '"' {
		d.mismatch(String, p)
		return ""
	}
	end := indexUnusual(data, start)
	if end >= len(data) || data[end] != '"' {
		return d.unusualText(start, end)
	}
	d.pos = end + 1
	return alias(data[start:end])
}

// Strings reads an array of strings.
func (d *Decoder) Strings(p Presence) []string {
	if !d.Array(p) {
		return nil
	}
	var all []string
	for element(d, &all, 4) {
		all = append(all, d.String(Required))
	}
	return all
}

// text returns the string at the cursor, which is one, and moves past it.
func (d *Decoder) text() string { return d.String(Required) }

// unusualText is String for a string that begins at start, and has nothing unusual
// before i.
func (d *Decoder) unusualText(start, i int) string {
	end, seen := indexSpecial(d.data, i)
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

// quoted moves past the string at the cursor and returns the bytes between its
// quotes.
func (d *Decoder) quoted() []byte {
	data, start := d.data, d.pos+1
	end := indexUnusual(data, start)
	if end >= len(data) || data[end] != '"' {
		end, _ = indexSpecial(data, end)
		return d.quotedFrom(start, end)
	}
	d.pos = end + 1
	return data[start:end:end]
}

// quotedFrom is quoted for a string that begins at start and has its first
// special byte at i.
func (d *Decoder) quotedFrom(start, i int) []byte {
	for ; ; i, _ = indexSpecial(d.data, i) {
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

// indexSpecial returns the index of the first quote, backslash or control
// character from i on, or the end of the data if there is none. seen has every
// bit of the bytes before it: if it has none of highs, they are ASCII.
func indexSpecial(data []byte, i int) (index int, seen uint64) {
	for ; i+8 <= len(data); i += 8 {
		word := wordAt(data, i)
		seen |= word
		if special := specialBytes(word); special != 0 {
			return i + bits.TrailingZeros64(special)/8, seen
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

// specialBytes sets the highest bit of each byte of the word that is a quote, a
// backslash or a control character.
//
// Subtracting n from a byte below n borrows, which sets the highest bit; that of
// bytes that had it before is ignored. For backslashes n is 1, after an
// exclusive or that makes them zero. For control characters n would be ' ';
// flipping a bit makes the quote (0x22) adjacent to them (0x20), so that one
// subtraction finds both. A borrow may mark higher bytes by mistake, but the
// lowest mark is right, and only that is used.
func specialBytes(word uint64) uint64 {
	return borrows(word) &^ word & highs
}

func borrows(word uint64) uint64 {
	const flip = 2
	low := (word ^ flip*ones) - (('"'^flip)+1)*ones
	backslash := (word ^ '\\'*ones) - ones
	return low | backslash
}

// indexUnusual is a faster indexSpecial that stops at bytes beyond ASCII, too, and
// within the last seven bytes of the data, whatever they are. It is inlined.
func indexUnusual(data []byte, i int) int {
	for ; i+8 <= len(data); i += 8 {
		if unusual := unusualBytes(wordAt(data, i)); unusual != 0 {
			return i + bits.TrailingZeros64(unusual)/8
		}
	}
	return i
}

// wordAt returns the eight bytes from i on. Other ways to slice them make the address
// depend on the capacity, which is what would take longest where a string is short.
func wordAt(data []byte, i int) uint64 { return binary.LittleEndian.Uint64(data[i : i+8 : i+8]) }

// unusualBytes is specialBytes that also sets the highest bit of each byte that has it.
func unusualBytes(word uint64) uint64 {
	return (borrows(word) | word) & highs
}

// escapeLen returns the length of the escape sequence that data begin with, 0 if
// it is not valid.
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

// unquote resolves the escapes, which are known to be valid. Like encoding/json
// it replaces invalid UTF-8 and lone surrogates by U+FFFD.
func unquote(raw []byte) string {
	text := make([]byte, 0, unquotedLen(raw))
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

// unquotedLen returns how long the text can be at most: no escape is shorter than
// what it stands for, but a byte that is not valid UTF-8 is.
func unquotedLen(raw []byte) int {
	n := len(raw)
	if utf8.Valid(raw) {
		return n
	}
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		if r == utf8.RuneError && size == 1 {
			n += len(string(utf8.RuneError)) - size
		}
		raw = raw[size:]
	}
	return n
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

// unescape resolves the escape sequence, or the pair of surrogates, that raw
// begins with, and returns what follows it.
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

// alias returns a string that shares the memory of b.
//
// That is sound because nobody writes to b any more: it is either a buffer made
// for this string alone, or part of the data, which the Decoder's users must not
// change.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // sound, see above
}
