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

// send sends a message, and tries again only if Crisp itself reports that it failed. After
// any other failure the message may have arrived, and none is better than the same twice.
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

// split splits a text into at most maxParts parts of at most maxLen characters, between
// paragraphs, sentences or words if it can. What doesn't fit is left out.
func split(text string, maxLen, maxParts int) []string {
	var parts []string
	for text = strings.TrimSpace(text); text != ""; {
		if utf8.RuneCountInString(text) <= maxLen {
			return append(parts, text)
		}
		if len(parts) == maxParts-1 {
			return append(parts, head(text, maxLen-2)+" …")
		}
		part := head(text, maxLen)
		parts = append(parts, part)
		text = strings.TrimSpace(text[len(part):])
	}
	return parts
}

// head returns the beginning of a text that has more than maxLen characters.
func head(text string, maxLen int) string {
	end := 0
	for range maxLen {
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
