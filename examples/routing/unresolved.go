package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/crisp-go/crisp"
)

// printUnresolved prints the conversations that are not resolved and in which something
// has happened since the beginning of yesterday, those first that have waited longest.
func (r *routing) printUnresolved(ctx context.Context, out io.Writer) error {
	year, month, day := time.Now().Date()
	yesterday := time.Date(year, month, day-1, 0, 0, 0, 0, time.Local)
	operators, err := r.desk.operators(ctx)
	if err != nil {
		return err
	}
	inboxes, err := r.desk.inboxes(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{"": "-"} // by identifier
	for _, o := range operators {
		names[o.userID] = o.name
	}
	for name, id := range inboxes {
		names[id] = name
	}
	var open []*crisp.Conversation
	query := crisp.ConversationQuery{NotResolved: true, From: yesterday}
	for conversation, err := range r.client.Conversations(ctx, r.websiteID, query) {
		if err != nil {
			return err
		}
		open = append(open, conversation)
	}
	slices.SortFunc(open, func(a, b *crisp.Conversation) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), strings.Compare(a.SessionID, b.SessionID))
	})

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "QUIET FOR\tSTATE\tVISITOR\tINBOX\tOPERATOR\tCONVERSATION")
	for _, c := range open {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", time.Since(c.UpdatedAt).Round(time.Minute),
			c.State, c.Meta.Nickname, cmp.Or(names[c.InboxID], c.InboxID), cmp.Or(names[c.AssignedTo], c.AssignedTo), c.SessionID)
	}
	return table.Flush()
}
