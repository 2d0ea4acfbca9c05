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

func send(m crisp.Message) func(context.Context, *crisp.Client) error {
	return func(ctx context.Context, c *crisp.Client) error {
		_, err := c.SendMessage(ctx, "site-1", "session_1", m)
		return err
	}
}

func say(content crisp.Content) func(context.Context, *crisp.Client) error {
	return send(crisp.Message{Content: content})
}

// in calls a method of a conversation.
func in[Arg any](call func(*crisp.Client, context.Context, crisp.SessionRef, Arg) error, ref crisp.SessionRef, arg Arg) func(context.Context, *crisp.Client) error {
	return func(ctx context.Context, c *crisp.Client) error { return call(c, ctx, ref, arg) }
}

func list(query crisp.ConversationQuery) func(context.Context, *crisp.Client) error {
	return func(ctx context.Context, c *crisp.Client) error {
		return exhaust(c.Conversations(ctx, "site-1", query))
	}
}

func choices(choices ...crisp.PickerChoice) *crisp.PickerContent {
	return &crisp.PickerContent{ID: "id", Text: "private", Choices: choices}
}

func targets(targets ...crisp.CarouselTarget) *crisp.CarouselContent {
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
			_, err := c.SendMessage(ctx, "", "session_1", crisp.Message{Content: text})
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
		"move to no inbox": {in((*crisp.Client).MoveToInbox, testRef, ""), "inbox_id", "missing"},
		"assign to no operator": {
			in((*crisp.Client).Assign, testRef, crisp.Assignment{}), "assigned.user_id", "missing",
		},
		"assign to somebody and nobody": {
			in((*crisp.Client).Assign, testRef, crisp.Assignment{UserID: "user-1", Nobody: true}),
			"assigned", "to somebody and to nobody",
		},

		// Closed sets.
		"unknown state": {
			in((*crisp.Client).SetState, testRef, crisp.StateChange{State: "open"}),
			"state", `"open" is none of pending, unresolved and resolved`,
		},
		"no state": {
			in((*crisp.Client).SetState, testRef, crisp.StateChange{}),
			"state", `"" is none of pending, unresolved and resolved`,
		},
		"unknown compose state": {
			in((*crisp.Client).Compose, testRef, crisp.Composing{State: "pause"}), "type", `"pause" is neither start nor stop`,
		},
		"composing from elsewhere": {
			in((*crisp.Client).Compose, testRef, crisp.Composing{State: crisp.ComposeStateStart, From: "bot"}),
			"from", `"bot" is neither user nor operator`,
		},
		"read from elsewhere": {
			in((*crisp.Client).MarkRead, testRef, crisp.Marking{From: "bot"}), "from", `"bot" is neither user nor operator`,
		},
		"delivered without a fingerprint": {
			in((*crisp.Client).MarkDelivered, testRef, crisp.Marking{Fingerprints: []int64{1, 0}}),
			"fingerprints[1]", "not between 1 and 2^53 - 1",
		},
		"unread from nobody": {
			in((*crisp.Client).MarkUnread, testRef, crisp.From("")), "from", `"" is neither user nor operator`,
		},

		// Lists.
		"negative page size":  {list(crisp.ConversationQuery{PerPage: -1}), "per_page", "negative"},
		"unknown search type": {list(crisp.ConversationQuery{Search: "a", SearchType: "regexp"}), "search_type", `"regexp" is none of text, segment and filter`},
		"search for nothing":  {list(crisp.ConversationQuery{SearchType: crisp.SearchText}), "search_query", "missing"},
		"unknown order":       {list(crisp.ConversationQuery{Order: "random"}), "order", `"random" is none of created, updated and waiting`},
		"resolved and not":    {list(crisp.ConversationQuery{Resolved: true, NotResolved: true}), "filter_resolved", "asked for together with filter_not_resolved"},
		"assigned and not":    {list(crisp.ConversationQuery{AssignedTo: "user-1", Unassigned: true}), "filter_unassigned", "asked for together with filter_assigned"},
		"until before from":   {list(crisp.ConversationQuery{From: testAt, Until: testAt.Add(-time.Second)}), "filter_date_end", "before filter_date_start"},

		// Metas.
		"no metas":              {in((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{}), "meta", "nothing to update"},
		"avatar that is no URL": {in((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Avatar: "ada.png"}), "avatar", "not an absolute URL"},
		"nested data":           {in((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Data: map[string]any{"a": []int{1}}}), "data.a", "a []int, not a string, number or boolean"},
		"data without a key":    {in((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Data: map[string]any{"": 1}}), "data", "an empty key"},
		"empty segment":         {in((*crisp.Client).UpdateConversationMeta, testRef, crisp.MetaUpdate{Segments: []string{"a", ""}}), "segments[1]", "missing"},

		// Messages.
		"from elsewhere":          {send(crisp.Message{Content: text, From: "bot"}), "from", `"bot" is neither user nor operator`},
		"large fingerprint":       {send(crisp.Message{Content: text, Fingerprint: 1 << 53}), "fingerprint", "not between 1 and 2^53 - 1"},
		"negative fingerprint":    {send(crisp.Message{Content: text, Fingerprint: -1}), "fingerprint", "not between 1 and 2^53 - 1"},
		"before 1970":             {send(crisp.Message{Content: text, Timestamp: time.Unix(-1, 0)}), "timestamp", "before 1970"},
		"user's avatar":           {send(crisp.Message{Content: text, User: crisp.User{Avatar: "/a.png"}}), "user.avatar", "not an absolute URL"},
		"mentions in a text":      {send(crisp.Message{Content: text, Mentions: []string{"user-1"}}), "mentions", "only a note can mention operators"},
		"empty mention":           {send(crisp.Message{Content: crisp.NoteContent("private"), Mentions: []string{""}}), "mentions[0]", "missing"},
		"incomplete reference":    {send(crisp.Message{Content: text, References: []crisp.Reference{{Type: "link", Name: "private"}}}), "references[0].target", "missing"},
		"no content":              {say(nil), "content", "missing"},
		"update with nothing":     {func(ctx context.Context, c *crisp.Client) error { return c.UpdateMessage(ctx, testRef, 1, nil) }, "content", "missing"},
		"empty text":              {say(crisp.TextContent("")), "content", "missing"},
		"empty note":              {say(crisp.NoteContent("")), "content", "missing"},
		"nil file":                {say((*crisp.FileContent)(nil)), "content", "missing"},
		"nil unknown":             {say((*crisp.UnknownContent)(nil)), "content", "missing"},
		"file without name":       {say(&crisp.FileContent{URL: link, Type: "a/b"}), "content.name", "missing"},
		"file without URL":        {say(&crisp.FileContent{Name: "a", Type: "a/b"}), "content.url", "missing"},
		"file with a path":        {say(&crisp.FileContent{Name: "a", URL: "/a", Type: "a/b"}), "content.url", "not an absolute URL"},
		"file with a bad URL":     {say(&crisp.FileContent{Name: "a", URL: "https://%zz", Type: "a/b"}), "content.url", "not an absolute URL"},
		"file without type":       {say(&crisp.FileContent{Name: "a", URL: link}), "content.type", "missing"},
		"animation without URL":   {say(&crisp.AnimationContent{Type: "image/gif"}), "content.url", "missing"},
		"animation, no type":      {say(&crisp.AnimationContent{URL: link}), "content.type", "missing"},
		"audio without URL":       {say(&crisp.AudioContent{Type: "a/b", Duration: 1}), "content.url", "missing"},
		"audio without type":      {say(&crisp.AudioContent{URL: link, Duration: 1}), "content.type", "missing"},
		"audio of no duration":    {say(&crisp.AudioContent{URL: link, Type: "a/b"}), "content.duration", "not more than 0"},
		"picker without id":       {say(&crisp.PickerContent{Text: "a"}), "content.id", "missing"},
		"picker without text":     {say(&crisp.PickerContent{ID: "a"}), "content.text", "missing"},
		"picker, no choices":      {say(choices()), "content.choices", "none: a picker needs at least one"},
		"choice without value":    {say(choices(crisp.PickerChoice{Value: "a", Label: "a"}, crisp.PickerChoice{Label: "a"})), "content.choices[1].value", "missing"},
		"choice without label":    {say(choices(crisp.PickerChoice{Value: "a"})), "content.choices[0].label", "missing"},
		"action without type":     {say(choices(crisp.PickerChoice{Value: "a", Label: "a", Action: crisp.PickerAction{Target: link}})), "content.choices[0].action.type", "missing"},
		"action without target":   {say(choices(crisp.PickerChoice{Value: "a", Label: "a", Action: crisp.PickerAction{Type: "link"}})), "content.choices[0].action.target", "missing"},
		"field without id":        {say(&crisp.FieldContent{Text: "a", Explain: "a"}), "content.id", "missing"},
		"field without text":      {say(&crisp.FieldContent{ID: "a", Explain: "a"}), "content.text", "missing"},
		"field without hint":      {say(&crisp.FieldContent{ID: "a", Text: "a"}), "content.explain", "missing"},
		"carousel without text":   {say(&crisp.CarouselContent{}), "content.text", "missing"},
		"carousel, no targets":    {say(targets()), "content.targets", "none: a carousel needs at least one"},
		"target without title":    {say(targets(crisp.CarouselTarget{Description: "a"})), "content.targets[0].title", "missing"},
		"target, no text":         {say(targets(crisp.CarouselTarget{Title: "a"})), "content.targets[0].description", "missing"},
		"target with bad image":   {say(targets(crisp.CarouselTarget{Title: "a", Description: "a", Image: "a.png"})), "content.targets[0].image", "not an absolute URL"},
		"link without label":      {say(targets(crisp.CarouselTarget{Title: "a", Description: "a", Actions: []crisp.CarouselAction{{URL: link}}})), "content.targets[0].actions[0].label", "missing"},
		"link without URL":        {say(targets(crisp.CarouselTarget{Title: "a", Description: "a", Actions: []crisp.CarouselAction{{Label: "a"}}})), "content.targets[0].actions[0].url", "missing"},
		"event, no namespace":     {say(&crisp.EventContent{Text: "a"}), "content.namespace", "missing"},
		"unknown, no type":        {say(&crisp.UnknownContent{Raw: json.RawMessage(`{}`)}), "type", "missing"},
		"unknown that is no JSON": {say(&crisp.UnknownContent{Type: "a", Raw: json.RawMessage(`{private`)}), "content", "not JSON"},
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

func TestSentWithoutAFingerprintIsAnError(t *testing.T) {
	for name, body := range map[string]string{
		"none":         `{"data":{}}`,
		"null":         `{"data":{"fingerprint":null}}`,
		"not a number": `{"data":{"fingerprint":"private"}}`,
		"no data":      `{"error":false}`,
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, body))
			_, err := client.SendMessage(t.Context(), "site-1", "session_1", crisp.Message{Content: crisp.TextContent("private")})
			require.ErrorContains(t, err, "crisp: POST website/site-1/conversation/session_1/message: ")
			assert.NotContains(t, err.Error(), "private")
			assert.Equal(t, 1, mock.GetTotalCallCount())
		})
	}
}
