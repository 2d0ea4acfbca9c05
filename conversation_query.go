package crisp

import (
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// ConversationQuery says which conversations to list, and in what order. The
// zero query lists all that have messages, as Crisp orders them.
type ConversationQuery struct {
	PerPage      int    // conversations per request: 20 to 50; 0 = as Crisp decides (20)
	Search       string // what to search for, in the way of SearchType
	SearchType   SearchType
	InboxID      string // only in this inbox
	AssignedTo   string // only those assigned to this operator (user ID)
	Unassigned   bool   // only those assigned to nobody
	Unread       bool   // only those with unread messages
	Mentioned    bool   // only those that mention the operator of the token
	Resolved     bool   // only resolved ones
	NotResolved  bool   // only pending and unresolved ones
	IncludeEmpty bool   // also those without messages

	From  time.Time // only from this time on
	Until time.Time // only up to this time
	Order ConversationOrder
}

// SearchType is how [ConversationQuery] searches.
type SearchType string

// Ways to search for conversations.
const (
	SearchText    SearchType = "text"    // for words in messages; the default
	SearchSegment SearchType = "segment" // for a segment
	SearchFilter  SearchType = "filter"  // by criteria, in Crisp's own JSON form
)

// ConversationOrder is what [ConversationQuery] orders by, the latest first.
type ConversationOrder string

// Orders of conversations.
const (
	OrderCreated ConversationOrder = "created"
	OrderUpdated ConversationOrder = "updated"
	OrderWaiting ConversationOrder = "waiting" // by how long the visitor has waited for an answer
)

func (q *ConversationQuery) check(c *checks) {
	c.that(q.PerPage >= 0, "per_page", "negative")
	switch q.SearchType {
	case "", SearchText, SearchSegment, SearchFilter:
	default:
		c.that(false, "search_type", fmt.Sprintf("%q is none of text, segment and filter", string(q.SearchType)))
	}
	c.that(q.SearchType == "" || q.Search != "", "search_query", "missing")
	switch q.Order {
	case "", OrderCreated, OrderUpdated, OrderWaiting:
	default:
		c.that(false, "order", fmt.Sprintf("%q is none of created, updated and waiting", string(q.Order)))
	}
	c.that(!q.Resolved || !q.NotResolved, "filter_resolved", "asked for together with filter_not_resolved")
	c.that(!q.Unassigned || q.AssignedTo == "", "filter_unassigned", "asked for together with filter_assigned")
	c.that(q.From.IsZero() || q.Until.IsZero() || !q.Until.Before(q.From), "filter_date_end", "before filter_date_start")
}

// values are the parameters of the route.
func (q *ConversationQuery) values() url.Values {
	v := make(url.Values)
	if q.PerPage > 0 {
		v.Set("per_page", strconv.Itoa(q.PerPage))
	}
	for key, value := range map[string]string{
		"search_query":    q.Search,
		"search_type":     string(q.searchType()),
		"filter_inbox_id": q.InboxID,
		"filter_assigned": q.AssignedTo,
	} {
		if value != "" {
			v.Set(key, value)
		}
	}
	for key, set := range map[string]bool{
		"include_empty":       q.IncludeEmpty,
		"filter_unread":       q.Unread,
		"filter_resolved":     q.Resolved,
		"filter_not_resolved": q.NotResolved,
		"filter_mention":      q.Mentioned,
		"filter_unassigned":   q.Unassigned,
		"order_date_created":  q.Order == OrderCreated,
		"order_date_updated":  q.Order == OrderUpdated,
		"order_date_waiting":  q.Order == OrderWaiting,
	} {
		if set {
			v.Set(key, "1")
		}
	}
	for key, at := range map[string]time.Time{"filter_date_start": q.From, "filter_date_end": q.Until} {
		if !at.IsZero() {
			v.Set(key, at.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
	return v
}

func (q *ConversationQuery) searchType() SearchType {
	if q.Search != "" && q.SearchType == "" {
		return SearchText
	}
	return q.SearchType
}
