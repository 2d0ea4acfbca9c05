package inspect

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Query says which entries to show: those that meet all its terms. The zero value
// matches every entry.
type Query struct{ terms []term }

// term is one condition.
type term struct {
	negated bool
	field   string // empty for a text
	value   string
	needle  needle // the text to search for, if field is empty
}

// QueryError says what is wrong with a query, and where.
type QueryError struct {
	What string
	At   int // the character at which the wrong term begins, from 1
}

func (e *QueryError) Error() string {
	return fmt.Sprintf("the filter, at character %d: %s", e.At, e.What)
}

// fields are the names before the colon that terms can have.
var fields = []string{"event", "website", "session", "kind", "source", "is"}

// states are the values of "is".
var states = []string{"failed", "problem", "gap"}

// kinds are the kinds of entries.
var kinds = []string{
	"event", "delivery", "connected", "lost", "retrying", "gap", "recovered", "dropped", "message", "request", "connection", "bind",
}

// ParseQuery reads a query: words, all of which must be met. "event:GLOB",
// "website:ID", "session:ID", "kind:KIND", "source:SOURCE" and "is:failed",
// "is:problem" and "is:gap" are about an entry; any other word, and "a phrase" in
// quotation marks, is text. A word after a hyphen must not be met. The error is a
// *[QueryError].
func ParseQuery(text string) (q Query, err error) {
	rest := text
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			return q, nil
		}
		at := utf8.RuneCountInString(text[:len(text)-len(rest)]) + 1
		var t term
		if t, rest, err = parseTerm(rest, at); err != nil {
			return Query{}, err
		}
		q.terms = append(q.terms, t)
	}
}

func parseTerm(text string, at int) (t term, rest string, err error) {
	rest = text
	if len(rest) > 1 && rest[0] == '-' && rest[1] != ' ' {
		t.negated, rest = true, rest[1:]
	}
	if field, behind, found := strings.Cut(rest, ":"); found && slices.Contains(fields, field) {
		t.field, rest = field, behind
	}
	if t.value, rest, err = parseValue(rest, at); err != nil {
		return t, rest, err
	}
	if what := t.prepare(); what != "" {
		return t, rest, &QueryError{what, at}
	}
	return t, rest, nil
}

// parseValue takes a word, or a phrase in quotation marks.
func parseValue(text string, at int) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, " \t\r\n")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], nil
	}
	value, rest, closed := strings.Cut(text[1:], `"`)
	switch {
	case !closed:
		return "", "", &QueryError{"a quotation mark has no other", at}
	case value == "":
		return "", "", &QueryError{"there is nothing between the quotation marks", at}
	}
	return value, rest, nil
}

// prepare checks a term and makes it ready for match. It returns what is wrong with it.
func (t *term) prepare() (wrong string) {
	oneOf := func(values []string) string {
		if slices.Contains(values, t.value) {
			return ""
		}
		return fmt.Sprintf("%s: is %q; it must be one of %s", t.field, t.value, strings.Join(values, ", "))
	}
	switch {
	case t.field == "":
		t.needle = newNeedle(t.value)
		return ""
	case t.value == "":
		return t.field + ": has no value"
	case t.field == "kind":
		return oneOf(kinds)
	case t.field == "is":
		return oneOf(states)
	case t.field == "event":
		if _, err := path.Match(t.value, ""); err != nil {
			return fmt.Sprintf("event: %q is no pattern", t.value)
		}
	}
	return ""
}

// Match reports whether an entry meets the query.
func (q Query) Match(e *Entry) bool {
	for i := range q.terms {
		if q.terms[i].match(e) == q.terms[i].negated {
			return false
		}
	}
	return true
}

func (t *term) match(e *Entry) bool {
	s := &e.Summary
	switch t.field {
	case "event":
		ok, _ := path.Match(t.value, s.Event) // prepare checked the pattern
		return ok
	case "website":
		return s.WebsiteID == t.value
	case "session":
		return s.SessionID == t.value
	case "kind":
		return s.Kind == t.value
	case "source":
		return s.Source == t.value
	case "is":
		return s.is(t.value)
	default:
		return t.needle.in(e)
	}
}

func (s *Summary) is(state string) bool {
	switch state {
	case "failed":
		isRefused := s.Outcome == "refused" || s.Outcome == "given_up"
		return isRefused || s.Kind == "lost" || s.Kind == "dropped" || s.Kind == "request" && s.Status >= 400
	case "problem":
		return s.Problems > 0
	default: // gap
		return s.Kind == "gap" || s.Kind == "dropped"
	}
}

// key returns the index key with the fewest entries among those that cover all possible
// matches; empty if no term has an index.
func (q Query) key(r *Ring) (best string) {
	fewest := 0
	for _, t := range q.terms {
		var key string
		switch {
		case t.negated:
		case t.field == "event" && !strings.ContainsAny(t.value, `*?[\`):
			key = keyEvent + t.value
		case t.field == "website":
			key = keyWebsite + t.value
		case t.field == "session":
			key = keySession + t.value
		case t.field == "kind":
			key = keyKind + t.value
		}
		if key == "" {
			continue
		}
		if count := r.count(key); best == "" || count < fewest {
			best, fewest = key, count
		}
	}
	return best
}

// Find returns the entries from a place on that meet a query, limit at most, and the
// place to go on from. more reports that there are further matches.
func (r *Ring) Find(q Query, from uint64, limit int) (list []*Entry, next uint64, more bool) {
	candidates, end := r.from(from, q.key(r))
	for _, e := range candidates {
		if !q.Match(e.Entry) {
			continue
		}
		if len(list) == limit {
			return list, next, true
		}
		list, next = append(list, e.Entry), e.place+1
	}
	return list, end, false
}
