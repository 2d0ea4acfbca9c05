package scenario

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word, a quoted text, or a JSON object or list.
type token struct {
	kind tokenKind
	text string // without quotes
}

type tokenKind int

const (
	word tokenKind = iota
	quoted
	value
)

func (t token) String() string {
	if t.kind == quoted {
		return strconv.Quote(t.text)
	}
	return t.text
}

// split returns the tokens of a line, up to a remark, which begins with #.
func split(line string) ([]token, error) {
	if !utf8.ValidString(line) {
		return nil, fmt.Errorf("the line is not valid UTF-8")
	}
	var list []token
	for {
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		if line == "" || line[0] == '#' {
			return list, nil
		}
		t, rest, err := next(line)
		if err != nil {
			return nil, err
		}
		list, line = append(list, t), rest
	}
}

// next returns the first token of a line, which must begin with one, and the rest.
func next(line string) (t token, rest string, err error) {
	switch line[0] {
	case '"':
		prefix, err := strconv.QuotedPrefix(line)
		if err != nil {
			return token{}, "", fmt.Errorf(`the text that begins with %s has no end: it is "in quotes", \" being a quote in it`, beginning(line))
		}
		text, err := strconv.Unquote(prefix)
		return token{quoted, text}, line[len(prefix):], err
	case '{', '[':
		decoder := json.NewDecoder(strings.NewReader(line))
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return token{}, "", fmt.Errorf("%s is no JSON: %w", beginning(line), err)
		}
		return token{value, string(raw)}, line[decoder.InputOffset():], nil
	default:
		end := strings.IndexFunc(line, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
		if end < 0 {
			end = len(line)
		}
		return token{word, line[:end]}, line[end:], nil
	}
}

// beginning returns enough of a line to recognise it.
func beginning(line string) string {
	const most = 20
	if letters := []rune(line); len(letters) > most {
		return string(letters[:most]) + "…"
	}
	return line
}
