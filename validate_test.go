package crisp_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func sendMessage(m crisp.Message) func(context.Context, *crisp.Client) error {
	return func(ctx context.Context, c *crisp.Client) error {
		_, err := c.SendMessage(ctx, testRef, m)
		return err
	}
}

func sendContent(content crisp.Content) func(context.Context, *crisp.Client) error {
	return sendMessage(crisp.Message{Content: content})
}

// inSession calls a method of a conversation.
func inSession[Arg any](call func(*crisp.Client, context.Context, crisp.SessionRef, Arg) error, ref crisp.SessionRef, arg Arg) func(context.Context, *crisp.Client) error {
	return func(ctx context.Context, c *crisp.Client) error { return call(c, ctx, ref, arg) }
}

func listConversations(query crisp.ConversationQuery) func(context.Context, *crisp.Client) error {
	return func(ctx context.Context, c *crisp.Client) error {
		return exhaust(c.Conversations(ctx, "site-1", query))
	}
}

func pickerOf(choices ...crisp.PickerChoice) *crisp.PickerContent {
	return &crisp.PickerContent{ID: "id", Text: "private", Choices: choices}
}

func carouselOf(targets ...crisp.CarouselTarget) *crisp.CarouselContent {
	return &crisp.CarouselContent{Text: "private", Targets: targets}
}

func TestBadInputIsRefusedBeforeTheNetwork(t *testing.T) {
	type calling = func(context.Context, *crisp.Client) error
	const link = "https://example.com/x"
	text := crisp.TextContent("private")
	for name, tt := range map[string]struct {
		call  calling
		field string
		says  string
	}{
		// Identifiers.
		"reply to an event without a session": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.Reply(ctx, &crisp.MessageSend{WebsiteID: "site-1"}, text)
			return err
		}, "session_id", "missing"},
		"reply to an event without a website": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.Reply(ctx, &crisp.MessageSend{SessionID: "session_1"}, text)
			return err
		}, "website_id", "missing"},
		"send to no website": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.SendMessage(ctx, crisp.SessionRef{SessionID: "session_1"}, crisp.Message{Content: text})
			return err
		}, "website_id", "missing"},
		"get no conversation": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.Conversation(ctx, crisp.SessionRef{WebsiteID: "site-1"})
			return err
		}, "session_id", "missing"},
		"list of no website": {func(ctx context.Context, c *crisp.Client) error {
			return exhaust(c.Conversations(ctx, "", crisp.ConversationQuery{}))
		}, "website_id", "missing"},
		"create on no website": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.CreateConversation(ctx, "")
			return err
		}, "website_id", "missing"},
		"initiate no conversation": {func(ctx context.Context, c *crisp.Client) error {
			return c.InitiateConversation(ctx, crisp.SessionRef{})
		}, "website_id", "missing"},
		"messages of no session": {func(ctx context.Context, c *crisp.Client) error {
			return exhaust(c.Messages(ctx, crisp.SessionRef{WebsiteID: "site-1"}))
		}, "session_id", "missing"},
		"messages since a time of no session": {func(ctx context.Context, c *crisp.Client) error {
			return exhaust(c.MessagesSince(ctx, crisp.SessionRef{WebsiteID: "site-1"}, time.Now()))
		}, "session_id", "missing"},
		"messages around a time of no session": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.MessagesAround(ctx, crisp.SessionRef{WebsiteID: "site-1"}, time.Now())
			return err
		}, "session_id", "missing"},
		"metas of no session": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.ConversationMeta(ctx, crisp.SessionRef{WebsiteID: "site-1"})
			return err
		}, "session_id", "missing"},
		"update without a fingerprint": {func(ctx context.Context, c *crisp.Client) error {
			return c.UpdateMessage(ctx, testRef, 0, text)
		}, "fingerprint", "not between 1 and 2^53 - 1"},
		"remove with a negative fingerprint": {func(ctx context.Context, c *crisp.Client) error {
			return c.RemoveMessage(ctx, testRef, -1)
		}, "fingerprint", "not between 1 and 2^53 - 1"},
		"update of no session": {func(ctx context.Context, c *crisp.Client) error {
			return c.UpdateMessage(ctx, crisp.SessionRef{WebsiteID: "site-1"}, 1, text)
		}, "session_id", "missing"},
		"move to no inbox": {inSession((*crisp.Client).MoveToInbox, testRef, ""), "inbox_id", "missing"},
		"assign to no operator": {
			inSession((*crisp.Client).Assign, testRef, crisp.Assignment{}), "assigned.user_id", "missing",
		},
		"assign to somebody and nobody": {
			inSession((*crisp.Client).Assign, testRef, crisp.Assignment{UserID: "user-1", Nobody: true}),
			"assigned", "to somebody and to nobody",
		},

		// Closed sets.
		"unknown state": {
			inSession((*crisp.Client).SetState, testRef, crisp.StateChange{State: "open"}),
			"state", `"open" is none of pending, unresolved and resolved`,
		},
		"no state": {
			inSession((*crisp.Client).SetState, testRef, crisp.StateChange{}),
			"state", `"" is none of pending, unresolved and resolved`,
		},
		"unknown compose state": {
			inSession((*crisp.Client).Compose, testRef, crisp.Composing{State: "pause"}), "type", `"pause" is neither start nor stop`,
		},
		"composing from elsewhere": {
			inSession((*crisp.Client).Compose, testRef, crisp.Composing{State: crisp.ComposeStateStart, From: "bot"}),
			"from", `"bot" is neither user nor operator`,
		},
		"read from elsewhere": {
			inSession((*crisp.Client).MarkRead, testRef, crisp.Marking{From: "bot"}), "from", `"bot" is neither user nor operator`,
		},
		"delivered without a fingerprint": {
			inSession((*crisp.Client).MarkDelivered, testRef, crisp.Marking{Fingerprints: []int64{1, 0}}),
			"fingerprints[1]", "not between 1 and 2^53 - 1",
		},
		"unread from nobody": {
			inSession((*crisp.Client).MarkUnread, testRef, crisp.From("")), "from", `"" is neither user nor operator`,
		},

		// Lists.
		"negative page size":  {listConversations(crisp.ConversationQuery{PerPage: -1}), "per_page", "negative"},
		"unknown search type": {listConversations(crisp.ConversationQuery{Search: "a", SearchType: "regexp"}), "search_type", `"regexp" is none of text, segment and filter`},
		"search for nothing":  {listConversations(crisp.ConversationQuery{SearchType: crisp.SearchText}), "search_query", "missing"},
		"unknown order":       {listConversations(crisp.ConversationQuery{Order: "random"}), "order", `"random" is none of created, updated and waiting`},
		"resolved and not":    {listConversations(crisp.ConversationQuery{Resolved: true, NotResolved: true}), "filter_resolved", "asked for together with filter_not_resolved"},
		"assigned and not":    {listConversations(crisp.ConversationQuery{AssignedTo: "user-1", Unassigned: true}), "filter_unassigned", "asked for together with filter_assigned"},
		"until before from":   {listConversations(crisp.ConversationQuery{From: testAt, Until: testAt.Add(-time.Second)}), "filter_date_end", "before filter_date_start"},

		// Metas.
		"no metas":              {inSession((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{}), "meta", "nothing to update"},
		"avatar that is no URL": {inSession((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Avatar: "ada.png"}), "avatar", "not an absolute URL"},
		"nested data":           {inSession((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Data: map[string]any{"a": []int{1}}}), "data.a", "a []int, not a string, number or boolean"},
		"data without a key":    {inSession((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Data: map[string]any{"": 1}}), "data", "an empty key"},
		"empty segment":         {inSession((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Segments: []string{"a", ""}}), "segments[1]", "missing"},

		// Messages.
		"from elsewhere": {sendMessage(crisp.Message{Content: text, From: "bot"}), "from", `"bot" is neither user nor operator`},
		"website and session swapped": {func(ctx context.Context, c *crisp.Client) error {
			return c.SetState(ctx, crisp.SessionRef{WebsiteID: "session_1", SessionID: "w"}, crisp.StateChange{State: crisp.SessionStateResolved})
		}, "website_id", "a session's identifier (session_…): are website and session swapped?"},
		"a line break behind the website": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.CreateConversation(ctx, "w\n")
			return err
		}, "website_id", "white space around it"},
		"a blank in the session": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.Conversation(ctx, crisp.SessionRef{WebsiteID: "w", SessionID: " session_1"})
			return err
		}, "session_id", "white space around it"},
		"the website as session": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.Conversation(ctx, crisp.SessionRef{WebsiteID: "w", SessionID: "w"})
			return err
		}, "session_id", "the same as website_id: needs the conversation's, session_…"},
		"the session as website": {func(ctx context.Context, c *crisp.Client) error {
			_, err := c.CreateConversation(ctx, "session_1")
			return err
		}, "website_id", "a session's identifier (session_…): are website and session swapped?"},
		"large fingerprint":       {sendMessage(crisp.Message{Content: text, Fingerprint: 1 << 53}), "fingerprint", "not between 1 and 2^53 - 1"},
		"negative fingerprint":    {sendMessage(crisp.Message{Content: text, Fingerprint: -1}), "fingerprint", "not between 1 and 2^53 - 1"},
		"before 1970":             {sendMessage(crisp.Message{Content: text, Timestamp: time.Unix(-1, 0)}), "timestamp", "before 1970"},
		"user's avatar":           {sendMessage(crisp.Message{Content: text, User: crisp.User{Avatar: "/a.png"}}), "user.avatar", "not an absolute URL"},
		"original without a type": {sendMessage(crisp.Message{Content: text, Original: crisp.OriginalSource{Content: "private"}}), "original.type", "missing"},
		"original without a text": {sendMessage(crisp.Message{Content: text, Original: crisp.OriginalSource{Type: "text/html"}}), "original.content", "missing"},
		"original twice":          {sendMessage(crisp.Message{Content: text, Original: crisp.OriginalSource{Type: "text/html", ID: "o"}}), "original", "both new and known to Crisp"},
		"empty mention":           {sendMessage(crisp.Message{Content: crisp.NoteContent("private"), Mentions: []string{""}}), "mentions[0]", "missing"},
		"incomplete reference":    {sendMessage(crisp.Message{Content: text, References: []crisp.Reference{{Type: "link", Name: "private"}}}), "references[0].target", "missing"},
		"no content":              {sendContent(nil), "content", "missing"},
		"update with nothing":     {func(ctx context.Context, c *crisp.Client) error { return c.UpdateMessage(ctx, testRef, 1, nil) }, "content", "missing"},
		"empty text":              {sendContent(crisp.TextContent("")), "content", "missing"},
		"empty note":              {sendContent(crisp.NoteContent("")), "content", "missing"},
		"nil file":                {sendContent((*crisp.FileContent)(nil)), "content", "missing"},
		"nil unknown":             {sendContent((*crisp.UnknownContent)(nil)), "content", "missing"},
		"file without name":       {sendContent(&crisp.FileContent{URL: link, Type: "a/b"}), "content.name", "missing"},
		"file without URL":        {sendContent(&crisp.FileContent{Name: "a", Type: "a/b"}), "content.url", "missing"},
		"file with a path":        {sendContent(&crisp.FileContent{Name: "a", URL: "/a", Type: "a/b"}), "content.url", "not an absolute URL"},
		"file with a bad URL":     {sendContent(&crisp.FileContent{Name: "a", URL: "https://%zz", Type: "a/b"}), "content.url", "not an absolute URL"},
		"file without type":       {sendContent(&crisp.FileContent{Name: "a", URL: link}), "content.type", "missing"},
		"animation without URL":   {sendContent(&crisp.AnimationContent{Type: "image/gif"}), "content.url", "missing"},
		"animation, no type":      {sendContent(&crisp.AnimationContent{URL: link}), "content.type", "missing"},
		"audio without URL":       {sendContent(&crisp.AudioContent{Type: "a/b", Duration: 1}), "content.url", "missing"},
		"audio without type":      {sendContent(&crisp.AudioContent{URL: link, Duration: 1}), "content.type", "missing"},
		"audio of no duration":    {sendContent(&crisp.AudioContent{URL: link, Type: "a/b"}), "content.duration", "not more than 0"},
		"picker without id":       {sendContent(&crisp.PickerContent{Text: "a"}), "content.id", "missing"},
		"picker without text":     {sendContent(&crisp.PickerContent{ID: "a"}), "content.text", "missing"},
		"picker, no choices":      {sendContent(pickerOf()), "content.choices", "none: a picker needs at least one"},
		"choice without value":    {sendContent(pickerOf(crisp.PickerChoice{Value: "a", Label: "a"}, crisp.PickerChoice{Label: "a"})), "content.choices[1].value", "missing"},
		"choice without label":    {sendContent(pickerOf(crisp.PickerChoice{Value: "a"})), "content.choices[0].label", "missing"},
		"action without type":     {sendContent(pickerOf(crisp.PickerChoice{Value: "a", Label: "a", Action: crisp.PickerAction{Target: link}})), "content.choices[0].action.type", "missing"},
		"action without target":   {sendContent(pickerOf(crisp.PickerChoice{Value: "a", Label: "a", Action: crisp.PickerAction{Type: "link"}})), "content.choices[0].action.target", "missing"},
		"field without id":        {sendContent(&crisp.FieldContent{Text: "a", Explain: "a"}), "content.id", "missing"},
		"field without text":      {sendContent(&crisp.FieldContent{ID: "a", Explain: "a"}), "content.text", "missing"},
		"field without hint":      {sendContent(&crisp.FieldContent{ID: "a", Text: "a"}), "content.explain", "missing"},
		"carousel without text":   {sendContent(&crisp.CarouselContent{}), "content.text", "missing"},
		"carousel, no targets":    {sendContent(carouselOf()), "content.targets", "none: a carousel needs at least one"},
		"target without title":    {sendContent(carouselOf(crisp.CarouselTarget{Description: "a"})), "content.targets[0].title", "missing"},
		"target, no text":         {sendContent(carouselOf(crisp.CarouselTarget{Title: "a"})), "content.targets[0].description", "missing"},
		"target with bad image":   {sendContent(carouselOf(crisp.CarouselTarget{Title: "a", Description: "a", Image: "a.png"})), "content.targets[0].image", "not an absolute URL"},
		"link without label":      {sendContent(carouselOf(crisp.CarouselTarget{Title: "a", Description: "a", Actions: []crisp.CarouselAction{{URL: link}}})), "content.targets[0].actions[0].label", "missing"},
		"link without URL":        {sendContent(carouselOf(crisp.CarouselTarget{Title: "a", Description: "a", Actions: []crisp.CarouselAction{{Label: "a"}}})), "content.targets[0].actions[0].url", "missing"},
		"event, no namespace":     {sendContent(&crisp.EventContent{Text: "a"}), "content.namespace", "missing"},
		"unknown, no type":        {sendContent(&crisp.UnknownContent{Raw: json.RawMessage(`{}`)}), "type", "missing"},
		"unknown that is no JSON": {sendContent(&crisp.UnknownContent{Type: "a", Raw: json.RawMessage(`{private`)}), "content", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, sentAnswer))
			err := tt.call(t.Context(), client)
			var invalid *crisp.InvalidError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, tt.field, invalid.Field)
			assert.Equal(t, tt.says, invalid.Reason)
			assert.EqualError(t, err, "crisp: invalid "+tt.field+": "+tt.says)
			assert.NotContains(t, err.Error(), "private")
			assert.Zero(t, mock.GetTotalCallCount())
		})
	}
}
