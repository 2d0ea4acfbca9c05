package crisptest

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// peopleSearch is a request for the list of contacts.
type peopleSearch struct {
	text       string // in lower case
	filters    []peopleFilter
	any        bool   // one of the filters is enough
	field      string // to sort by; the order of creation if it is empty
	descending bool
}

type peopleFilter struct {
	Criterion string   `json:"criterion"`
	Operator  string   `json:"operator"`
	Query     []string `json:"query"`
}

// parsePeopleSearch parses the query for the list of contacts. It returns false if
// a value is invalid. What is empty counts as absent, because Crisp's own Go
// library sends all keys.
func parsePeopleSearch(query url.Values) (peopleSearch, bool) {
	s := peopleSearch{text: strings.ToLower(query.Get("search_text")), field: query.Get("sort_field")}
	switch query.Get("sort_order") {
	case "", "asc", "ascending":
	case "desc", "descending":
		s.descending = true
	default:
		return s, false
	}
	switch query.Get("search_operator") {
	case "", "and":
	case "or":
		s.any = true
	default:
		return s, false
	}
	filters := query.Get("search_filter")
	if filters == "" || filters == "[]" || filters == "null" {
		return s, true
	}
	return s, peopleFilters.fits([]byte(filters)) && json.Unmarshal([]byte(filters), &s.filters) == nil
}

// searchOf returns the search of a batch, which has the shape of one: a text, or
// filters and their operator.
func searchOf(v any) peopleSearch {
	if text, is := v.(string); is {
		return peopleSearch{text: strings.ToLower(text)}
	}
	var body struct {
		Filter   []peopleFilter `json:"filter"`
		Operator string         `json:"operator"`
	}
	if err := json.Unmarshal(mustJSON(v), &body); err != nil {
		panic(err) // its shape was checked
	}
	return peopleSearch{filters: body.Filter, any: body.Operator == "or"}
}

// find returns those of the contacts that are to be listed, in order.
func (s *peopleSearch) find(all []*liveProfile) []*liveProfile {
	found := slices.DeleteFunc(all, func(p *liveProfile) bool { return !s.matches(p) })
	if s.field != "" {
		slices.SortStableFunc(found, func(a, b *liveProfile) int {
			return compareValues(a.member(s.field), b.member(s.field))
		})
	}
	if s.descending {
		slices.Reverse(found)
	}
	return found
}

func (s *peopleSearch) matches(p *liveProfile) bool {
	if s.text != "" && !containsText(p.card, s.text) {
		return false
	}
	meets := func(f peopleFilter) bool { return f.passes(p) }
	if s.any && len(s.filters) > 0 {
		return slices.ContainsFunc(s.filters, meets)
	}
	return !slices.ContainsFunc(s.filters, func(f peopleFilter) bool { return !meets(f) })
}

// containsText reports whether a text is in a value, at any depth.
func containsText(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(strings.ToLower(v), text)
	case []any:
		return slices.ContainsFunc(v, func(v any) bool { return containsText(v, text) })
	case map[string]any:
		for _, v := range v {
			if containsText(v, text) {
				return true
			}
		}
	}
	return false
}

// member returns a member of the contact by its path, such as "person.nickname" or
// "data.plan", or nil if there is none. The prefix "person." may be left out.
func (p *liveProfile) member(path string) any {
	form := p.restForm()
	form["data"] = p.data
	if v := memberAt(form, path); v != nil {
		return v
	}
	return memberAt(form, "person."+path)
}

func memberAt(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// passes reports whether the contact meets the filter. If the member is a list, one
// matching element is enough.
func (f peopleFilter) passes(p *liveProfile) bool {
	v := p.member(f.Criterion)
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	one := func(is func(order int) bool) bool {
		return slices.ContainsFunc(list, func(v any) bool {
			return v != nil && slices.ContainsFunc(f.Query, func(wanted string) bool { return is(compareValues(v, wanted)) })
		})
	}
	switch f.Operator {
	case "eq":
		return one(func(order int) bool { return order == 0 })
	case "neq":
		return !one(func(order int) bool { return order == 0 })
	case "gte":
		return one(func(order int) bool { return order >= 0 })
	case "lte":
		return one(func(order int) bool { return order <= 0 })
	case "gt":
		return one(func(order int) bool { return order > 0 })
	default:
		return one(func(order int) bool { return order < 0 })
	}
}

// compareValues compares numbers as numbers, and anything else as texts, whose
// case doesn't matter.
func compareValues(a, b any) int {
	x, y := lowerText(a), lowerText(b)
	m, errM := strconv.ParseFloat(x, 64)
	n, errN := strconv.ParseFloat(y, 64)
	if errM == nil && errN == nil {
		return cmp.Compare(m, n)
	}
	return cmp.Compare(x, y)
}

func lowerText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.ToLower(v)
	default:
		return string(mustJSON(v))
	}
}
