// Package terminal keeps text from elsewhere from doing anything but being read.
package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Line returns a text as one line that is safe to show: control characters (C0,
// DEL, C1), line and paragraph separators, marks that change the direction of
// text or are not seen, and bytes that are not UTF-8 come as escapes such as \n,
// \x1b or \u202e.
func Line(text string) string {
	if strings.IndexFunc(text, unsafe) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			writeHex(&b, 'x', uint32(text[0]), 2)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unsafe(r) && r < 0x80:
			writeHex(&b, 'x', uint32(r), 2)
		case unsafe(r) && r > 0xffff:
			writeHex(&b, 'U', uint32(r), 8)
		case unsafe(r):
			writeHex(&b, 'u', uint32(r), 4)
		default:
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}

func writeHex(b *strings.Builder, kind byte, value uint32, digits int) {
	b.WriteByte('\\')
	b.WriteByte(kind)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b.WriteByte("0123456789abcdef"[value>>shift&0xf])
	}
}

// unsafe reports whether a character may do something to a terminal, or to how the
// text around it is read.
func unsafe(r rune) bool {
	switch {
	case r < 0x20, 0x7f <= r && r < 0xa0: // C0, DEL, C1
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069: // bidi
		return true
	case r == 0x2028, r == 0x2029: // separators
		return true
	case r == 0x00ad, r == 0x200b, 0x2060 <= r && r <= 0x2064, r == 0xfeff: // not seen
		return true
	case 0xe0000 <= r && r <= 0xe007f: // tags: not seen, but read by machines
		return true
	default:
		return false
	}
}

// JSON returns JSON text that means the same and is safe to show: what Line
// escapes comes as \u escapes, of which JSON needs nothing else, since such
// characters are allowed in its strings only. Line breaks and tabs between values
// stay.
func JSON(text []byte) []byte {
	if bytes.IndexFunc(text, unsafeInJSON) < 0 && utf8.Valid(text) {
		return text
	}
	safe := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			safe = append(safe, `\ufffd`...)
		case unsafeInJSON(r):
			for _, unit := range utf16.Encode([]rune{r}) {
				safe = fmt.Appendf(safe, `\u%04x`, unit)
			}
		default:
			safe = append(safe, text[:size]...)
		}
		text = text[size:]
	}
	return safe
}

func unsafeInJSON(r rune) bool {
	return unsafe(r) && r != '\n' && r != '\r' && r != '\t'
}

// Text is Line for text of several lines, whose ends and tabs stay.
func Text(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		cells := strings.Split(line, "\t")
		for j, cell := range cells {
			cells[j] = Line(cell)
		}
		lines[i] = strings.Join(cells, "\t")
	}
	return strings.Join(lines, "\n")
}
