package crisp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Conversation gets a conversation. A field of it that came in an unexpected
// type is left zero and listed in its Problems; it costs no error.
func (c *Client) Conversation(ctx context.Context, ref SessionRef) (*Conversation, error) {
	var check checks
	check.session(ref)
	if err := check.err(); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if err := c.Do(ctx, http.MethodGet, ref.path(), nil, &raw); err != nil {
		return nil, err
	}
	return decodeConversation(raw, ref.WebsiteID), nil
}

// Conversations lists the conversations of a website, page by page as the loop
// goes on:
//
//	for conversation, err := range client.Conversations(ctx, websiteID, crisp.ConversationQuery{Unread: true}) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error ends the iteration. The list may change while it is read: a conversation
// that moves to its front meanwhile can be missed or come twice. A page with nothing
// new is an [*AnswerError].
func (c *Client) Conversations(ctx context.Context, websiteID string, query ConversationQuery) iter.Seq2[*Conversation, error] {
	var check checks
	check.website(websiteID)
	query.check(&check)
	if err := check.err(); err != nil {
		return failedSeq[*Conversation](err)
	}
	pages := conversationList(c.get, websiteID, query)
	pages.id = func(c *Conversation) string { return c.SessionID }
	return flatten(pages.pages(ctx))
}

func conversationList(get getter, websiteID string, query ConversationQuery) numberedList[*Conversation] {
	parameters := ""
	if values := query.values(); len(values) > 0 {
		parameters = "?" + values.Encode()
	}
	path := func(page int) string {
		return fmt.Sprintf("website/%s/conversations/%d", url.PathEscape(websiteID), page) + parameters
	}
	decode := func(raw json.RawMessage) *Conversation { return decodeConversation(raw, websiteID) }
	return numberedList[*Conversation]{get: get, path: path, decode: decode}
}

// CreateConversation makes a new conversation on a website.
func (c *Client) CreateConversation(ctx context.Context, websiteID string) (SessionRef, error) {
	var check checks
	check.website(websiteID)
	if err := check.err(); err != nil {
		return SessionRef{}, err
	}
	path := "website/" + url.PathEscape(websiteID) + "/conversation"
	var made struct {
		SessionID string `json:"session_id"`
	}
	if err := c.Do(ctx, http.MethodPost, path, nil, &made); err != nil {
		return SessionRef{}, err
	}
	if made.SessionID == "" {
		return SessionRef{}, fmt.Errorf("crisp: POST %s: %w", path, errNoSession)
	}
	return SessionRef{WebsiteID: websiteID, SessionID: made.SessionID}, nil
}

var errNoSession = errors.New("the conversation was made, but its session is missing from the answer")

// InitiateConversation opens a conversation that nobody has said anything in yet,
// such as that of a visitor who only looks at pages.
func (c *Client) InitiateConversation(ctx context.Context, ref SessionRef) error {
	return c.change(ctx, http.MethodPost, ref, "initiate", checks{}, nil)
}

// StateChange is what [Client.SetState] does.
type StateChange struct {
	State  SessionState
	User   User   // who did it; optional
	Origin string // the channel it was done by; optional
}

// SetState moves a conversation to another state.
func (c *Client) SetState(ctx context.Context, ref SessionRef, change StateChange) error {
	var check checks
	switch change.State {
	case SessionStatePending, SessionStateUnresolved, SessionStateResolved:
	default:
		check.that(false, "state", fmt.Sprintf("%q is none of pending, unresolved and resolved", string(change.State)))
	}
	check.user("user", change.User)
	return c.change(ctx, http.MethodPatch, ref, "state", check, struct {
		State  SessionState `json:"state"`
		User   *author      `json:"user,omitempty"`
		Origin string       `json:"origin,omitempty"`
	}{change.State, authorOf(change.User), change.Origin})
}

// Assignment is what [Client.Assign] does: it needs either UserID or Nobody.
type Assignment struct {
	UserID string // of the operator who gets the conversation
	Nobody bool   // takes it from whoever has it
	Silent bool   // nobody is notified
}

// Assign routes a conversation to an operator.
func (c *Client) Assign(ctx context.Context, ref SessionRef, assignment Assignment) error {
	type operator struct {
		UserID string `json:"user_id"`
	}
	var check checks
	var assigned *operator // nil is null on the wire: nobody
	if !assignment.Nobody {
		check.present("assigned.user_id", assignment.UserID)
		assigned = &operator{assignment.UserID}
	}
	check.that(!assignment.Nobody || assignment.UserID == "", "assigned", "to somebody and to nobody")
	return c.change(ctx, http.MethodPatch, ref, "routing", check, struct {
		Assigned *operator `json:"assigned"`
		Silent   bool      `json:"silent,omitempty"`
	}{assigned, assignment.Silent})
}

// MoveToInbox moves a conversation to an inbox.
func (c *Client) MoveToInbox(ctx context.Context, ref SessionRef, inboxID string) error {
	var check checks
	check.present("inbox_id", inboxID)
	return c.moveToInbox(ctx, ref, check, &inboxID)
}

// MoveToMainInbox moves a conversation to the website's main inbox, which has
// no identifier.
func (c *Client) MoveToMainInbox(ctx context.Context, ref SessionRef) error {
	return c.moveToInbox(ctx, ref, checks{}, nil)
}

func (c *Client) moveToInbox(ctx context.Context, ref SessionRef, check checks, inboxID *string) error {
	return c.change(ctx, http.MethodPatch, ref, "inbox", check, struct {
		InboxID *string `json:"inbox_id"`
	}{inboxID})
}

// ConversationQuery says which conversations to list, and in what order. The
// zero query lists all that have messages, as Crisp orders them.
type ConversationQuery struct {
	PerPage      int    // conversations per request: 20 to 50; 0 = as Crisp decides (20)
	Search       string // what to search for, in the way of SearchType
	SearchType   SearchType
	Filters      []SearchCriterion // what to search for instead of Search: conversations that meet these
	AnyFilter    bool              // those that meet one of Filters; else they have to meet all
	InboxID      string            // only in this inbox
	AssignedTo   string            // only those assigned to this operator (user ID)
	Unassigned   bool              // only those assigned to nobody
	Unread       bool              // only those with unread messages
	Mentioned    bool              // only those that mention the operator of the token
	Resolved     bool              // only resolved ones
	NotResolved  bool              // only pending and unresolved ones
	IncludeEmpty bool              // also those without messages

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
	SearchFilter  SearchType = "filter"  // by criteria: ConversationQuery.Filters, or their JSON form as Search
)

// SearchCriterion is a criterion that conversations have to meet. Crisp documents no
// list of criteria, models and operators: build a filter in its app, and look at
// what is requested.
type SearchCriterion struct {
	Criterion string // what is looked at, such as "segments"
	Model     string // what has it, such as "session"
	Operator  FilterOperator
	Query     []string // what it is compared with
}

// FilterOperator is how a [SearchCriterion] compares.
type FilterOperator string

// Operators that are known of Crisp's filters; there may be more.
const (
	FilterEqual          FilterOperator = "eq"
	FilterNotEqual       FilterOperator = "neq"
	FilterGreater        FilterOperator = "gt"
	FilterGreaterOrEqual FilterOperator = "gte"
	FilterLess           FilterOperator = "lt"
	FilterLessOrEqual    FilterOperator = "lte"
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
	q.checkSearch(c)
	switch q.Order {
	case "", OrderCreated, OrderUpdated, OrderWaiting:
	default:
		c.that(false, "order", fmt.Sprintf("%q is none of created, updated and waiting", string(q.Order)))
	}
	c.that(!q.Resolved || !q.NotResolved, "filter_resolved", "asked for together with filter_not_resolved")
	c.that(!q.Unassigned || q.AssignedTo == "", "filter_unassigned", "asked for together with filter_assigned")
	c.that(q.From.IsZero() || q.Until.IsZero() || !q.Until.Before(q.From), "filter_date_end", "before filter_date_start")
}

// checkSearch refuses searches that contradict themselves.
func (q *ConversationQuery) checkSearch(c *checks) {
	byFilter := q.SearchType == SearchFilter || q.SearchType == ""
	c.that(len(q.Filters) == 0 || byFilter, "search_type", "not filter, but there are filters")
	c.that(q.SearchType == "" || q.Search != "" || byFilter && len(q.Filters) > 0, "search_query", "missing")
	c.that(q.Search == "" || len(q.Filters) == 0, "search_query", "asked for together with filters")
	c.that(!q.AnyFilter || len(q.Filters) > 0 || q.SearchType == SearchFilter, "search_operator", "there are no filters")
	for i, f := range q.Filters {
		at := fmt.Sprintf("search_query[%d].", i)
		c.present(at+"model", f.Model)
		c.present(at+"criterion", f.Criterion)
		c.present(at+"operator", string(f.Operator))
	}
}

// values are the parameters of the route.
func (q *ConversationQuery) values() url.Values {
	v := make(url.Values)
	if q.PerPage > 0 {
		v.Set("per_page", strconv.Itoa(q.PerPage))
	}
	for key, value := range map[string]string{
		"search_query":    q.search(),
		"search_type":     string(q.searchType()),
		"search_operator": q.searchOperator(),
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

// search is what to search for, in the form of the route.
func (q *ConversationQuery) search() string {
	if len(q.Filters) == 0 {
		return q.Search
	}
	type filter struct {
		Model     string         `json:"model"`
		Criterion string         `json:"criterion"`
		Operator  FilterOperator `json:"operator"`
		Query     []string       `json:"query"`
	}
	filters := make([]filter, len(q.Filters))
	for i, f := range q.Filters {
		filters[i] = filter{f.Model, f.Criterion, f.Operator, append([]string{}, f.Query...)}
	}
	text, _ := json.Marshal(filters) // of strings only, which can't fail
	return string(text)
}

func (q *ConversationQuery) searchOperator() string {
	switch {
	case q.AnyFilter:
		return "or"
	case len(q.Filters) > 0:
		return "and"
	default:
		return ""
	}
}

func (q *ConversationQuery) searchType() SearchType {
	if len(q.Filters) > 0 {
		return SearchFilter
	}
	if q.Search != "" && q.SearchType == "" {
		return SearchText
	}
	return q.SearchType
}

// ConversationMeta gets what is known of the visitor of a conversation. A field
// of it that came in an unexpected type is left zero and listed in its Problems.
func (c *Client) ConversationMeta(ctx context.Context, ref SessionRef) (*ConversationMeta, error) {
	var check checks
	check.session(ref)
	if err := check.err(); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if err := c.Do(ctx, http.MethodGet, ref.path("meta"), nil, &raw); err != nil {
		return nil, err
	}
	return decodeConversationMeta(raw), nil
}

// MetaUpdate is what [Client.UpdateConversationMeta] changes. Zero fields stay
// as they are; an empty list or map that is not nil is sent. To clear a text,
// send null with [Client.Do].
type MetaUpdate struct {
	Nickname string `json:"nickname,omitzero"`
	Email    string `json:"email,omitzero"`
	Phone    string `json:"phone,omitzero"`
	Address  string `json:"address,omitzero"`
	Subject  string `json:"subject,omitzero"` // of the conversation
	Avatar   string `json:"avatar,omitzero"`  // URL of the image
	// Data is custom data by key: strings, numbers and booleans.
	Data map[string]any `json:"data,omitzero"`
	// Segments replace those that the conversation has.
	Segments []string `json:"segments,omitzero"`
}

func (u *MetaUpdate) check(c *checks) {
	something := u.Nickname != "" || u.Email != "" || u.Phone != "" || u.Address != "" || u.Subject != "" ||
		u.Avatar != "" || u.Data != nil || u.Segments != nil
	c.that(something, "meta", "nothing to update")
	if u.Avatar != "" {
		c.url("avatar", u.Avatar)
	}
	for key, value := range u.Data {
		c.that(key != "", "data", "an empty key")
		c.that(isPlain(value), "data."+key, fmt.Sprintf("a %T, not a string, number or boolean", value))
	}
	c.noneEmpty("segments", u.Segments)
}

// isPlain reports whether a value is a string, a number or a boolean.
func isPlain(value any) bool {
	switch value.(type) {
	case string, bool, json.Number, float32, float64,
		int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return true
	}
	return false
}

// UpdateConversationMeta changes what is known of the visitor of a
// conversation.
func (c *Client) UpdateConversationMeta(ctx context.Context, ref SessionRef, update MetaUpdate) error {
	var check checks
	update.check(&check)
	return c.change(ctx, http.MethodPatch, ref, "meta", check, update)
}

// WebsitesOption changes what [Client.Websites] lists.
type WebsitesOption func(url.Values)

// OnlyConfigured leaves out the websites that have no settings for the plugin.
func OnlyConfigured() WebsitesOption {
	return func(query url.Values) { query.Set("filter_configured", "1") }
}

// IncludePlan has the Plan of each website told.
func IncludePlan() WebsitesOption {
	return func(query url.Values) { query.Set("include_plan", "1") }
}

// Websites lists the websites that have installed the plugin whose token the
// client has, page by page as the loop goes on. An error, such as that of a
// token of another tier, is the last that the loop gets. A page with nothing new is
// an [*AnswerError].
func (c *Client) Websites(ctx context.Context, opts ...WebsitesOption) iter.Seq2[*PluginWebsite, error] {
	return flatten(websitePages(ctx, c.get, opts...))
}

func websitePages(ctx context.Context, get getter, opts ...WebsitesOption) iter.Seq2[[]*PluginWebsite, error] {
	query := make(url.Values)
	for _, opt := range opts {
		opt(query)
	}
	parameters := ""
	if len(query) > 0 {
		parameters = "?" + query.Encode()
	}
	return numberedList[*PluginWebsite]{
		get:  get,
		path: func(page int) string { return fmt.Sprintf("plugin/connect/websites/all/%d", page) + parameters },
		decode: func(raw json.RawMessage) *PluginWebsite {
			website := new(PluginWebsite)
			website.Problems = decodeData(raw, website.decode)
			website.Raw = raw
			return website
		},
		id: func(w *PluginWebsite) string { return w.WebsiteID },
	}.pages(ctx)
}
