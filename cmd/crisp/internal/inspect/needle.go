package inspect

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// needle is a text to search for, ignoring case.
type needle struct {
	lower        string
	at           int  // where lower has its rarest byte, by which texts are scanned
	first, other byte // that byte in both cases
	ascii        bool
}

func newNeedle(text string) needle {
	n := needle{lower: strings.ToLower(text), ascii: isASCII([]byte(text))}
	for i := range len(n.lower) {
		if rarity(n.lower[i]) > rarity(n.lower[n.at]) {
			n.at = i
		}
	}
	if n.lower != "" {
		n.first = n.lower[n.at]
		n.other = upper(n.first)
	}
	return n
}

// rarity ranks bytes by how rare they are in JSON.
func rarity(b byte) int {
	switch {
	case strings.IndexByte(`"\:,_{}`, b) >= 0 || b == ' ':
		return 0
	case strings.IndexByte("etaoinsr", b) >= 0 || '0' <= b && b <= '9':
		return 1
	case strings.IndexByte("jqxzvkw", b) >= 0:
		return 3
	default:
		return 2
	}
}

// in reports whether an entry's body or preview contains the text.
func (n *needle) in(e *Entry) bool {
	if n.lower == "" {
		return true
	}
	if n.ascii && (n.inBytes(e.Body) || n.inBytes([]byte(e.Summary.Preview))) {
		return true
	}
	if e.isPlain && (n.ascii || isASCII([]byte(e.Summary.Preview))) {
		return false
	}
	return strings.Contains(strings.ToLower(unescaped(e.Body)), n.lower) || strings.Contains(strings.ToLower(e.Summary.Preview), n.lower)
}

// inBytes reports whether a text contains the needle, which must be ASCII.
func (n *needle) inBytes(text []byte) bool {
	last := len(text) - len(n.lower) // the last index at which it can begin
	hasFirst, hasOther := true, n.other != n.first
	for from := 0; from <= last; {
		window := text[from+n.at : last+n.at+1]
		i := -1
		if hasFirst {
			i = bytes.IndexByte(window, n.first)
			hasFirst = i >= 0
		}
		if hasOther {
			if i >= 0 {
				window = window[:i]
			}
			if j := bytes.IndexByte(window, n.other); j >= 0 {
				i = j
			} else {
				hasOther = i >= 0
			}
		}
		if i < 0 {
			return false
		}
		if from += i; equalFold(text[from:from+len(n.lower)], n.lower) {
			return true
		}
		from++
	}
	return false
}

func equalFold(text []byte, lower string) bool {
	for i, b := range text {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - ('a' - 'A')
	}
	return b
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unescaped returns JSON with escapes replaced by what they stand for, to be searched.
func unescaped(text []byte) string {
	var b strings.Builder
	b.Grow(len(text))
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			b.Write(text)
			return b.String()
		}
		b.Write(text[:i])
		meant, length := escape(text[i:])
		b.WriteString(meant)
		text = text[i+length:]
	}
}

// escape returns what the escape at the beginning of a text stands for, and its length.
// The text must have at least two bytes.
func escape(text []byte) (meant string, length int) {
	switch c := text[1]; c {
	case 'n', 't', 'r', 'f', 'b':
		return " ", 2
	case 'u':
		first, ok := unit(text)
		if !ok {
			return "u", 2
		}
		if second, ok := unit(text[6:]); ok {
			if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
				return string(pair), 12
			}
		}
		return string(first), 6
	default:
		return string(text[1:2]), 2
	}
}

// unit returns the UTF-16 code unit of an escape \uXXXX.
func unit(text []byte) (r rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}
