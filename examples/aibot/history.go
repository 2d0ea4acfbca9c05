package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crisp-go/crisp"
)

const (
	// maxHistory bounds the messages that the model gets to read, and historyBytes what
	// they say together.
	maxHistory, historyBytes = 30, 12_000

	// messageBytes bounds what it gets to read of one of them.
	messageBytes = 4_000

	// maxLookedAt bounds the messages that are fetched, those left out included.
	maxLookedAt = 100
)

// errAnswered means that a person has answered what the bot was about to answer.
var errAnswered = errors.New("a person has answered")

// line is a message of a conversation as the model reads it.
type line struct {
	chatMessage
	fingerprint int64
}

// history returns what the model needs in order to answer a visitor's message: the latest
// messages of the conversation, oldest first. Neighbours of the same role are joined, since
// some models want roles to alternate. The last is the visitor's.
func (b *bot) history(ctx context.Context, asked *crisp.ConversationMessage) ([]chatMessage, error) {
	var lines []line // newest first
	looked, bytes := 0, 0
	for m, err := range b.client.Messages(ctx, (*crisp.MessageSend)(asked).Session()) {
		if err != nil {
			return nil, err
		}
		if byPerson(m) && m.Timestamp.After(asked.Timestamp) && !asked.Timestamp.IsZero() {
			return nil, errAnswered
		}
		if l := lineOf(m); l.Content != "" {
			if bytes += len(l.Content); bytes > historyBytes && len(lines) > 0 {
				break
			}
			lines = append(lines, l)
		}
		if looked++; looked == maxLookedAt || len(lines) == maxHistory {
			break
		}
	}
	slices.Reverse(lines)
	return merged(askedLast(lines, asked)), nil
}

// byPerson reports whether a message is one that an operator has written to the visitor.
func byPerson(m *crisp.ConversationMessage) bool {
	return m.From == crisp.FromOperator && !m.Automated && m.Type != crisp.MessageTypeNote && m.Type != crisp.MessageTypeEvent
}

// askedLast puts the message that is to be answered last, unless the visitor has written
// more since. The list may lag behind and not have it yet, or have the bot's answer to an
// earlier message after it.
func askedLast(lines []line, asked *crisp.ConversationMessage) []line {
	i := slices.IndexFunc(lines, func(l line) bool { return l.fingerprint == asked.Fingerprint })
	if i >= 0 && lines[len(lines)-1].Role == roleUser {
		return lines
	}
	if i >= 0 {
		lines = slices.Delete(lines, i, i+1)
	}
	return append(lines, lineOf(asked))
}

func merged(lines []line) []chatMessage {
	var chat []chatMessage
	for _, l := range lines {
		if last := len(chat) - 1; last >= 0 && chat[last].Role == l.Role {
			chat[last].Content += "\n" + l.Content
		} else {
			chat = append(chat, l.chatMessage)
		}
	}
	return chat
}

// lineOf returns a message as the model reads it. Its content is empty if it is not for
// the model to read. Whatever a visitor writes has the role of a user.
func lineOf(m *crisp.ConversationMessage) line {
	role := roleUser
	if m.From == crisp.FromOperator {
		role = roleAssistant
	}
	return line{chatMessage{role, harmless(textOf(m))}, m.Fingerprint}
}

// textOf returns what a message says, or a mark of what it is.
func textOf(m *crisp.ConversationMessage) string {
	switch content := m.Content.(type) {
	case crisp.TextContent:
		return string(content)
	case crisp.NoteContent, *crisp.EventContent: // not for visitors
		return ""
	case *crisp.FileContent:
		return mark("file", content.Name, content.Type)
	case *crisp.AnimationContent:
		return mark("animation")
	case *crisp.AudioContent:
		return mark("audio message")
	case *crisp.PickerContent:
		labels := make([]string, 0, len(content.Choices))
		for _, choice := range content.Choices {
			if choice.Selected {
				return mark("choice", content.Text, "chosen", choice.Label)
			}
			labels = append(labels, choice.Label)
		}
		return mark("choice", content.Text, strings.Join(labels, " / "))
	case *crisp.FieldContent:
		return mark("field", content.Text, content.Value)
	case *crisp.CarouselContent:
		return mark("carousel", content.Text)
	default:
		return mark("something that can't be shown")
	}
}

// oneLine returns a short text in one line.
func oneLine(text string) string { return shortened(strings.Join(strings.Fields(text), " "), 200) }

// mark returns a line that stands for content that is no text, with its short details.
func mark(kind string, details ...string) string {
	var known []string
	for _, detail := range details {
		if detail = oneLine(detail); detail != "" {
			known = append(known, detail)
		}
	}
	if len(known) == 0 {
		return "[" + kind + "]"
	}
	return fmt.Sprintf("[%s: %s]", kind, strings.Join(known, ", "))
}

// roleMarks breaks up the marks that some model servers take for the start of another
// message, even inside a text.
var roleMarks = strings.NewReplacer("<|", "< |", "|>", "| >")

// harmless returns a text without role marks and control characters, and shortened.
func harmless(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return shortened(roleMarks.Replace(strings.TrimSpace(text)), messageBytes)
}

// shortened cuts a text to a number of bytes, without splitting a character.
func shortened(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	const more = "…"
	end := bytes - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
