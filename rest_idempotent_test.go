package crisp_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// A handler may mark its context at its head, for all that it calls.
func TestWhatCreatesIsNeverSentTwice(t *testing.T) {
	ref := crisp.SessionRef{WebsiteID: "site-1", SessionID: "session_1"}
	question := &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1"}
	for name, create := range map[string]func(context.Context, *crisp.Client) error{
		"Reply": func(ctx context.Context, c *crisp.Client) error {
			_, err := c.Reply(ctx, question, crisp.TextContent("hello"))
			return err
		},
		"SendMessage, a note": func(ctx context.Context, c *crisp.Client) error {
			_, err := c.SendMessage(ctx, ref, crisp.Message{Content: crisp.NoteContent("hello")})
			return err
		},
		"SendMessage, a file": func(ctx context.Context, c *crisp.Client) error {
			file := &crisp.FileContent{Name: "a.pdf", Type: "application/pdf", URL: "https://storage.crisp.chat/a.pdf"}
			_, err := c.SendMessage(ctx, ref, crisp.Message{Content: file})
			return err
		},
		"CreateConversation": func(ctx context.Context, c *crisp.Client) error {
			_, err := c.CreateConversation(ctx, "site-1")
			return err
		},
		"InitiateConversation": func(ctx context.Context, c *crisp.Client) error { return c.InitiateConversation(ctx, ref) },
		"Do": func(ctx context.Context, c *crisp.Client) error {
			return c.Do(ctx, "POST", "website/site-1/people/profile", map[string]string{"email": "a@example.com"}, nil)
		},
	} {
		for lost, failure := range failures {
			t.Run(name+", "+lost, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, calls := scripted(t, nil, failure)
					ctx := crisp.Idempotent(t.Context())
					require.Error(t, create(ctx, client))
					assert.Len(t, calls.at, 1)
				})
			})
		}
	}
}
