package main

import (
	"container/list"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// conversationTokens is the most that the model may take for a conversation, until
	// it is resolved.
	conversationTokens = 50_000

	// answerTokens is the longest answer, and summaryTokens the longest note for those
	// who take over.
	answerTokens, summaryTokens = 600, 300

	// maxAccounts bounds the conversations that are known at a time. The one that was
	// quiet for longest is forgotten first.
	maxAccounts = 10_000
)

var errBudget = errors.New("the conversation has used up its tokens")

// tokensOf estimates how many tokens a text of n bytes has, rather too many than too few:
// English has about 4 bytes in a token, most other languages fewer.
func tokensOf(bytes int) int { return (bytes + 2) / 3 }

// promptTokens estimates what the model reads of a question.
func (q question) promptTokens() int {
	n := 0
	for _, m := range q.chat {
		n += 4 + tokensOf(len(m.Content))
	}
	if q.tools {
		n += tokensOf(len(tools))
	}
	return n
}

// mostTokens estimates the most that a question can take.
func (q question) mostTokens() int { return q.promptTokens() + q.maxTokens }

// ledger is what the bot knows about each conversation. It is safe for concurrent use,
// as handlers of different conversations run at the same time.
type ledger struct {
	most int // conversations

	mu      sync.Mutex // guards what follows
	entries map[crisp.SessionRef]*list.Element
	recent  *list.List // of entries, the one that was used last first
}

type entry struct {
	Session crisp.SessionRef `json:"session"`
	Tokens  int              `json:"tokens,omitempty"` // spent
	Noted   time.Time        `json:"noted,omitzero"`   // when the note of an unfinished hand-over was left
}

// handingOver reports whether a hand-over has just begun, so that the next turn finishes it.
func (e entry) handingOver() bool { return time.Since(e.Noted) < time.Minute }

func newLedger(most int) *ledger {
	return &ledger{most: most, entries: make(map[crisp.SessionRef]*list.Element), recent: list.New()}
}

func (l *ledger) get(ref crisp.SessionRef) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[ref]; ok {
		return *e.Value.(*entry)
	}
	return entry{Session: ref}
}

func (l *ledger) update(ref crisp.SessionRef, change func(*entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[ref]
	if !ok { // the identifiers may share an event's memory
		ref = crisp.SessionRef{WebsiteID: strings.Clone(ref.WebsiteID), SessionID: strings.Clone(ref.SessionID)}
		e = l.recent.PushFront(&entry{Session: ref})
		l.entries[ref] = e
	}
	l.recent.MoveToFront(e)
	change(e.Value.(*entry))
	if l.recent.Len() > l.most {
		oldest := l.recent.Remove(l.recent.Back()).(*entry)
		delete(l.entries, oldest.Session)
	}
}

func (l *ledger) forget(ref crisp.SessionRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[ref]; ok {
		l.recent.Remove(e)
		delete(l.entries, ref)
	}
}

// all lists the conversations, the one that was used last at the end.
func (l *ledger) all() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []entry
	for e := l.recent.Back(); e != nil; e = e.Prev() {
		all = append(all, *e.Value.(*entry))
	}
	return all
}

// account is the budget of one conversation. Tokens of a request are spent, whether or not
// the answer was of use.
type account struct {
	*ledger
	ref   crisp.SessionRef
	limit int
}

func (a account) affords(tokens int) bool { return a.get(a.ref).Tokens+tokens <= a.limit }

func (a account) spend(tokens int) {
	if tokens > 0 {
		a.update(a.ref, func(e *entry) { e.Tokens += tokens })
	}
}
