package main

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crisp-go/crisp"
)

const (
	botName = "Robby"

	// maxMessage bounds the characters of a message. Crisp documents no limit; nobody
	// reads more at once. An answer is split into maxMessages of that, and the rest left out.
	maxMessage, maxMessages = 2_000, 3

	// sendAttempts is how often a message is sent that Crisp has certainly not taken.
	sendAttempts = 3
)

// say sends an answer to the visitor.
func (b *bot) say(ctx context.Context, ref crisp.SessionRef, text string) error {
	for _, part := range split(text, maxMessage, maxMessages) {
		if err := b.send(ctx, ref, crisp.Message{Content: crisp.TextContent(part)}); err != nil {
			return err
		}
	}
	return nil
}

// send sends a message, again if Crisp itself says that it has failed with it. After any
// other failure it may have been sent, and nothing is better than the same twice.
func (b *bot) send(ctx context.Context, ref crisp.SessionRef, m crisp.Message) error {
	m.User = crisp.User{Nickname: botName}
	backoff := crisp.ExponentialBackoff{Base: time.Second}
	for attempt := 1; ; attempt++ {
		_, err := b.client.SendMessage(ctx, ref, m)
		var failed *crisp.APIError
		if !errors.As(err, &failed) || !failed.FromCrisp() || failed.StatusCode < 500 {
			return err
		}
		if attempt == sendAttempts || !wait(ctx, max(backoff.Delay(attempt+1), failed.RetryAfter)) {
			return err
		}
	}
}

// split splits a text into at most so many parts of so many characters, between
// paragraphs, sentences or words if it can. What doesn't fit is left out.
func split(text string, characters, most int) []string {
	var parts []string
	for text = strings.TrimSpace(text); text != ""; {
		if utf8.RuneCountInString(text) <= characters {
			return append(parts, text)
		}
		if len(parts) == most-1 {
			return append(parts, head(text, characters-2)+" …")
		}
		part := head(text, characters)
		parts = append(parts, part)
		text = strings.TrimSpace(text[len(part):])
	}
	return parts
}

// head returns the beginning of a text that is longer than so many characters.
func head(text string, characters int) string {
	end := 0
	for range characters {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	for _, gap := range []string{"\n\n", "\n", ". ", " "} {
		kept := len(strings.TrimRight(gap, " \n"))
		window := text[:min(len(text), end+len(gap)-kept)]
		if i := strings.LastIndex(window, gap); i > end/3 {
			return strings.TrimSpace(text[:i+kept])
		}
	}
	return text[:end]
}
