// Package jsontext changes single values of a JSON text and leaves all its other
// bytes as they are, and reads texts that people write strictly.
package jsontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Path leads to a value, by members' names and elements' indices.
type Path []string

// ParsePath reads a path such as "user.nickname" or "choices.0.label". A dot in a
// name is written \. and a backslash \\.
func ParsePath(text string) (Path, error) {
	switch {
	case text == "":
		return nil, errors.New("the path is empty")
	case !utf8.ValidString(text):
		return nil, errors.New("the path is not UTF-8")
	}
	var path Path
	var step strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			step.WriteByte(text[i])
		case text[i] == '.':
			path = append(path, step.String())
			step.Reset()
		default:
			step.WriteByte(text[i])
		}
	}
	path = append(path, step.String())
	if slices.Contains(path, "") {
		return nil, fmt.Errorf("the path %q has an empty step", text)
	}
	return path, nil
}

func (p Path) String() string {
	escaped := make([]string, len(p))
	for i, step := range p {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(step)
	}
	return strings.Join(escaped, ".")
}

// ParseValue reads a value that somebody typed: JSON, or else text that becomes a string.
// What begins like an object, a list or a quoted string must be JSON.
func ParseValue(text string) (json.RawMessage, error) {
	trimmed := strings.TrimSpace(text)
	if json.Valid([]byte(trimmed)) {
		return json.RawMessage(trimmed), nil
	}
	if trimmed == "" || !strings.ContainsRune(`{["`, rune(trimmed[0])) {
		return quote(text), nil
	}
	var value any
	err := json.Unmarshal([]byte(trimmed), &value)
	if syntax, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // Unmarshal returns it as it is
		return nil, fmt.Errorf("no JSON: %w at byte %d", err, syntax.Offset)
	}
	return nil, fmt.Errorf("no JSON: %w", err)
}

// Set replaces the value at a path, or adds it with any missing objects around it. added
// reports whether it was missing. The document must be valid JSON.
func Set(doc []byte, path Path, value json.RawMessage) (changed []byte, added bool, err error) {
	return edit(doc, path, 0, value)
}

// Unset removes the value at a path. found reports whether there was one.
func Unset(doc []byte, path Path) (changed []byte, found bool, err error) {
	changed, missing, err := edit(doc, path, 0, nil)
	return changed, !missing, err
}

// Get returns the value at a path, byte for byte.
func Get(doc []byte, path Path) (value json.RawMessage, found bool) {
	for _, step := range path {
		at, found := find(doc, step)
		if !found {
			return nil, false
		}
		doc = doc[at.value:at.end]
	}
	return slices.Clone(trim(doc)), true
}

// edit sets the value at path[depth:] of a document, or removes it if the value is
// nil.
func edit(doc []byte, path Path, depth int, value []byte) (changed []byte, missing bool, err error) {
	doc = trim(doc)
	if depth == len(path) {
		return value, false, nil
	}
	if value != nil && string(doc) == "null" {
		doc = []byte("{}")
	}
	switch doc[0] {
	case '{', '[':
	default:
		if value == nil {
			return doc, true, nil
		}
		return nil, false, fmt.Errorf("%s: there is no object, but %s", path[:depth], kindOf(doc))
	}
	at, found := find(doc, path[depth])
	switch {
	case found && value == nil && depth == len(path)-1:
		return remove(doc, at), false, nil
	case found:
		inner, missing, err := edit(doc[at.value:at.end], path, depth+1, value)
		if err != nil {
			return nil, false, err
		}
		return slices.Concat(doc[:at.value], inner, doc[at.end:]), missing, nil
	case value == nil:
		return doc, true, nil
	case doc[0] == '[' && path[depth] != strconv.Itoa(len(items(doc))):
		return nil, false, fmt.Errorf("%s: the list has %d elements, the next is .%d", path[:depth+1], len(items(doc)), len(items(doc)))
	}
	return add(doc, path[depth], nest(path[depth+1:], value)), true, nil
}

// nest wraps a value in an object for each step of a path.
func nest(path Path, value []byte) []byte {
	for _, step := range slices.Backward(path) {
		value = slices.Concat([]byte("{"), quote(step), []byte(":"), value, []byte("}"))
	}
	return value
}

func add(doc []byte, name string, value []byte) []byte {
	last := len(doc) - 1
	var member []byte
	if len(items(doc)) > 0 {
		member = append(member, ',')
	}
	if doc[0] == '{' {
		member = append(append(member, quote(name)...), ':')
	}
	return slices.Concat(doc[:last], member, value, doc[last:])
}

// remove cuts out an item and one comma next to it.
func remove(doc []byte, at item) []byte {
	from, to := at.start, at.end
	if next := space(doc, to); doc[next] == ',' {
		to = space(doc, next+1)
	} else {
		for from > 1 && isSpace(doc[from-1]) {
			from--
		}
		if doc[from-1] == ',' {
			from--
		}
	}
	return slices.Concat(doc[:from], doc[to:])
}

func find(doc []byte, step string) (item, bool) {
	for i, at := range items(doc) {
		name := strconv.Itoa(i)
		if at.name != nil {
			name = unquote(at.name)
		}
		if name == step {
			return at, true
		}
	}
	return item{}, false
}

// Rewrite calls replace for each value that is neither an object nor a list, and writes
// what it returns instead, unless that is nil. In its path, elements of lists have the
// step "". The document must be valid JSON.
func Rewrite(doc []byte, replace func(path Path, value []byte) []byte) []byte {
	r := rewriter{doc: doc, replace: replace, out: make([]byte, 0, len(doc))}
	r.value(space(doc, 0), nil)
	return append(r.out, doc[r.copied:]...)
}

type rewriter struct {
	doc     []byte
	out     []byte
	copied  int // how far doc is in out
	replace func(path Path, value []byte) []byte
}

func (r *rewriter) value(start int, path Path) {
	rest := r.doc[start:]
	if rest[0] == '{' || rest[0] == '[' {
		for at := range each(rest) {
			r.value(start+at.value, append(path, unquote(at.name)))
		}
		return
	}
	end := start + skip(rest, 0)
	if with := r.replace(path, r.doc[start:end]); with != nil {
		r.out = append(append(r.out, r.doc[r.copied:start]...), with...)
		r.copied = end
	}
}
