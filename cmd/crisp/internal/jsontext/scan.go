package jsontext

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
)

// item is the position of an object's member or a list's element in its text.
type item struct {
	name  []byte // with its quotes; nil in a list
	start int    // of the name, or else of the value
	value int
	end   int
}

// items lists the items of an object or a list.
func items(doc []byte) []item { return slices.Collect(each(doc)) }

// each yields the items of an object or a list; anything else has none.
func each(doc []byte) iter.Seq[item] {
	return func(yield func(item) bool) {
		if len(doc) == 0 || doc[0] != '{' && doc[0] != '[' {
			return
		}
		for i := space(doc, 1); i < len(doc) && doc[i] != '}' && doc[i] != ']'; {
			at := item{start: i, value: i}
			if doc[0] == '{' {
				end := skip(doc, i)
				at.name = doc[i:end]
				at.value = space(doc, space(doc, end)+1) // after the colon
			}
			at.end = skip(doc, at.value)
			if !yield(at) {
				return
			}
			i = space(doc, at.end)
			if i < len(doc) && doc[i] == ',' {
				i = space(doc, i+1)
			}
		}
	}
}

// skip returns where the value that begins at i ends.
func skip(doc []byte, i int) int {
	depth := 0
	for i < len(doc) {
		switch c := doc[i]; {
		case c == '"':
			i = skipString(doc, i)
		case c == '{' || c == '[':
			depth++
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case c == ',' || c == ':' || isSpace(c):
			i++
			continue
		default:
			for i < len(doc) && !bytes.ContainsRune([]byte(",:]}\" \t\r\n"), rune(doc[i])) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

func skipString(doc []byte, i int) int {
	for i++; i < len(doc); i++ {
		switch doc[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

func space(doc []byte, i int) int {
	for i < len(doc) && isSpace(doc[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trim(doc []byte) []byte { return bytes.Trim(doc, " \t\r\n") }

func quote(text string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // can't fail for a string
	return trim(b.Bytes())
}

// unquote returns the text of a JSON string; empty for anything else.
func unquote(quoted []byte) (text string) {
	_ = json.Unmarshal(quoted, &text)
	return text
}

func kindOf(value []byte) string {
	switch value[0] {
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
