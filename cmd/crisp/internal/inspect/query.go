package inspect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Query is what records are filtered by: all of its terms have to be met. The zero
// value is met by all.
type Query struct{ terms []term }

// term is a word of a query.
type term struct {
	negated bool
	key     string // what of the record it asks for; empty for its text
	value   string
	text    needle // of a term without key
}

// keys are what terms can ask for, beside text.
var keys = []string{"event", "website", "session", "kind", "source", "is"}

// qualities are the values of is:.
var qualities = []string{"failed", "problem", "gap"}

// QueryError says what is wrong with a query, and where.
type QueryError struct {
	At   int // of the word, in bytes from its beginning
	Text string
}

func (e *QueryError) Error() string { return fmt.Sprintf("at character %d: %s", e.At+1, e.Text) }

// ParseQuery parses words such as
//
//	event:message:* session:session_1f is:failed "not yet" -refund
//
// Words in quotes may have spaces, and a minus negates the word behind it. The error is a
// *[QueryError].
func ParseQuery(text string) (Query, error) {
	var q Query
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			return q, nil
		}
		t, length, err := parseTerm(rest)
		if err != nil {
			return Query{}, &QueryError{len(text) - len(rest), err.Error()}
		}
		q.terms = append(q.terms, t)
		rest = rest[length:]
	}
}

// parseTerm parses the word that a text begins with.
func parseTerm(text string) (t term, length int, err error) {
	rest := text
	if after, found := strings.CutPrefix(rest, "-"); found && after != "" && !strings.ContainsAny(after[:1], " \t\r\n") {
		t.negated, rest = true, after
	}
	if key, after, found := strings.Cut(rest, ":"); found && slices.Contains(keys, key) {
		t.key, rest = key, after
	}
	value, length, err := parseValue(rest)
	if err != nil {
		return t, 0, err
	}
	t.value = value
	return t, len(text) - len(rest) + length, t.prepare()
}

// parseValue parses a word, or what is in quotes.
func parseValue(text string) (value string, length int, err error) {
	if !strings.HasPrefix(text, `"`) {
		length = strings.IndexAny(text, " \t\r\n")
		if length < 0 {
			length = len(text)
		}
		return text[:length], length, nil
	}
	end := strings.Index(text[1:], `"`)
	if end < 0 {
		return "", 0, fmt.Errorf("a quotation that does not end")
	}
	return text[1 : 1+end], end + 2, nil
}

// prepare checks a term.
func (t *term) prepare() error {
	switch {
	case t.key == "" && t.value == "":
		return fmt.Errorf("nothing between the quotes")
	case t.key == "":
		t.text = newNeedle(t.value)
	case t.value == "":
		return fmt.Errorf("%s: needs a value", t.key)
	case t.key == "is" && !slices.Contains(qualities, t.value):
		return fmt.Errorf("is:%s is not known: failed, problem or gap", t.value)
	case t.isPattern():
		if _, err := path.Match(t.value, ""); err != nil {
			return fmt.Errorf("%q is not a pattern such as message:*", t.value)
		}
	}
	return nil
}

func (t *term) isPattern() bool { return strings.ContainsAny(t.value, `*?[\`) }

// met reports whether a record is what the query asks for.
func (q Query) met(e *entry) bool {
	for i := range q.terms {
		if t := &q.terms[i]; t.met(e) == t.negated {
			return false
		}
	}
	return true
}

func (t *term) met(e *entry) bool {
	switch t.key {
	case "":
		return t.text.in(e.Preview) || t.text.inJSON(e.body) || e.body == nil && (t.text.in(e.Event) || t.text.in(e.Target))
	case "event":
		return t.equals(e.Event)
	case "website":
		return t.equals(e.WebsiteID)
	case "session":
		return t.equals(e.SessionID)
	case "kind":
		return t.equals(string(e.Kind))
	case "source":
		return t.equals(e.Source)
	default:
		return t.is(e)
	}
}

// equals reports whether a value is the term's, or like its pattern.
func (t *term) equals(value string) bool {
	if !t.isPattern() {
		return value == t.value
	}
	matched, _ := path.Match(t.value, value) // it was checked
	return matched
}

// is reports whether a record has the quality that the term names.
func (t *term) is(e *entry) bool {
	switch t.value {
	case "failed":
		return e.Outcome == record.Refused || e.Outcome == record.GivenUp
	case "problem":
		return e.Problems > 0
	default:
		return slices.Contains([]record.Kind{record.KindGap, record.KindLost, record.KindDropped}, e.Kind)
	}
}
