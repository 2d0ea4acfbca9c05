package crisptest

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// search is a request for the list of conversations.
type search struct {
	perPage    int
	byCreation bool // the order is latest creation first, not latest change first
	filters    []filterBy
}

// filterBy reports whether a conversation is to be listed.
type filterBy func(*liveConversation) bool

// flags are the query parameters that filter if they are 1.
var flags = map[string]filterBy{
	"filter_unread":       func(c *liveConversation) bool { return c.Unread.Operator > 0 },
	"filter_resolved":     func(c *liveConversation) bool { return c.State == stateResolved },
	"filter_not_resolved": func(c *liveConversation) bool { return c.State != stateResolved },
	"filter_unassigned":   func(c *liveConversation) bool { return c.Assigned == "" },
}

// values are the query parameters that filter by their value. Each function
// returns false if the value is invalid.
var values = map[string]func(value string) (filterBy, bool){
	"filter_inbox_id": func(id string) (filterBy, bool) {
		return func(c *liveConversation) bool { return c.InboxID == id }, true
	},
	"filter_assigned": func(id string) (filterBy, bool) {
		return func(c *liveConversation) bool { return c.Assigned == id }, true
	},
	"filter_date_start": func(date string) (filterBy, bool) {
		start, err := time.Parse(time.RFC3339, date)
		return func(c *liveConversation) bool { return !c.Updated.Before(start) }, err == nil
	},
	"filter_date_end": func(date string) (filterBy, bool) {
		end, err := time.Parse(time.RFC3339, date)
		return func(c *liveConversation) bool { return !c.Updated.After(end) }, err == nil
	},
}

// parseSearch parses the query for the list of conversations. It returns false if
// a value is invalid. Searches by criteria, search_type=filter, are not supported.
func parseSearch(query url.Values) (search, bool) {
	s := search{perPage: conversationsPerPage, byCreation: query.Get("order_date_created") == "1"}
	if query.Get("include_empty") != "1" {
		s.filters = append(s.filters, func(c *liveConversation) bool { return len(c.Messages) > 0 })
	}
	for key := range query {
		value := query.Get(key)
		if flag, ok := flags[key]; ok && value == "1" {
			s.filters = append(s.filters, flag)
		}
		if by, ok := values[key]; ok {
			filter, ok := by(value)
			if !ok {
				return s, false
			}
			s.filters = append(s.filters, filter)
		}
	}
	return s, s.parsePerPage(query) && s.parseWords(query)
}

func (s *search) parsePerPage(query url.Values) bool {
	if !query.Has("per_page") {
		return true
	}
	n, err := strconv.Atoi(query.Get("per_page"))
	s.perPage = min(n, maxPerPage)
	return err == nil && n > 0
}

func (s *search) parseWords(query url.Values) bool {
	words := query.Get("search_query")
	if words == "" {
		return true
	}
	switch query.Get("search_type") {
	case "", "text":
		s.filters = append(s.filters, func(c *liveConversation) bool { return c.contains(words) })
	case "segment":
		s.filters = append(s.filters, func(c *liveConversation) bool { return c.hasSegment(words) })
	default:
		return false
	}
	return true
}

// find returns the conversations of a website that are to be listed, in order.
func (s *search) find(all []*liveConversation, website string) []*liveConversation {
	var found []*liveConversation
	for _, c := range all {
		if c.WebsiteID == website && s.matches(c) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b *liveConversation) int {
		if s.byCreation {
			return cmp.Compare(b.Created.UnixNano(), a.Created.UnixNano())
		}
		return cmp.Compare(b.Updated.UnixNano(), a.Updated.UnixNano())
	})
	return found
}

func (s *search) matches(c *liveConversation) bool {
	for _, wants := range s.filters {
		if !wants(c) {
			return false
		}
	}
	return true
}
