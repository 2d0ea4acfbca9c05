package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// stub is a model for demonstrations and tests, behind the same API. It is slow, gives the
// same answer to the same question, and fails on demand.
type stub struct {
	think   time.Duration // before the first word
	perWord time.Duration
	usage   int                // tokens that each answer is said to take; 0 = as many as words, negative = it doesn't say
	respond func(string) reply // to the last message; nil = as a shop does
	began   func()             // is called at the start of each call
	ended   func(stubCall)     // is called at the end of each call

	mu     sync.Mutex // guards what follows
	faults []fault
	calls  []stubCall // the latest
}

// maxStubCalls bounds the calls that a stub remembers.
const maxStubCalls = 1_000

// reply is what the stub says, or the reason for which it hands over, or both.
type reply struct{ text, handOver string }

// fault is how a call fails. The zero value is no fault.
type fault struct {
	status     int           // it is answered with this, and …
	retryAfter time.Duration // … this
	page       string        // it is answered with a page that says this
	cutAfter   int           // the connection ends after this many words
	hangAfter  int           // nothing more is sent after this many words
	finish     string        // the finish_reason, instead of "stop"
}

// stubCall is a call of the stub.
type stubCall struct {
	Messages  []chatMessage `json:"messages"`
	MaxTokens int           `json:"max_tokens"`
	header    http.Header
	left      bool // the client went away before the answer was over
}

// fail makes the next calls fail, each with one of the faults, in order.
func (s *stub) fail(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// seen lists the calls that are over.
func (s *stub) seen() []stubCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stubCall(nil), s.calls...)
}

func (s *stub) nextFault() (f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	return f
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := stubCall{header: r.Header.Clone()}
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/chat/completions") ||
		json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&call) != nil || len(call.Messages) == 0 {
		http.Error(w, "no question", http.StatusBadRequest)
		return
	}
	f := s.nextFault()
	defer func() {
		call.left = r.Context().Err() != nil
		s.mu.Lock()
		s.calls = append(s.calls[max(0, len(s.calls)-maxStubCalls+1):], call)
		s.mu.Unlock()
		if s.ended != nil {
			s.ended(call)
		}
	}()
	if s.began != nil {
		s.began()
	}
	if f.status != 0 {
		if f.retryAfter > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(int(f.retryAfter.Seconds())))
		}
		w.Header().Set("Location", r.URL.Path) // for those who follow redirections
		http.Error(w, "no", f.status)
		return
	}
	if f.page != "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, f.page)
		return
	}
	s.stream(w, r, call, f)
}

// stream answers word by word.
func (s *stub) stream(w http.ResponseWriter, r *http.Request, call stubCall, f fault) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	_ = flusher.Flush()
	respond := s.respond
	if respond == nil {
		respond = shop
	}
	answer := respond(call.Messages[len(call.Messages)-1].Content)
	if call.Messages[0].Content == summaryPrompt {
		answer = reply{text: "The visitor has written " + plural(strings.Count(call.Messages[1].Content, "visitor: "), "time") + "."}
	}
	words := strings.SplitAfter(answer.text, " ")
	if !wait(r.Context(), s.think) {
		return
	}
	for i, word := range words {
		if f.cutAfter > 0 && i == f.cutAfter {
			panic(http.ErrAbortHandler)
		}
		if f.hangAfter > 0 && i == f.hangAfter {
			<-r.Context().Done()
			return
		}
		sendDelta(w, map[string]any{"content": word}, "")
		if flusher.Flush() != nil || !wait(r.Context(), s.perWord) {
			return
		}
	}
	finish := "stop"
	if answer.handOver != "" {
		arguments, _ := json.Marshal(map[string]string{"reason": answer.handOver}) // a map of strings can't fail
		for _, part := range []map[string]any{{"name": handOverTool, "arguments": ""}, {"arguments": string(arguments)}} {
			sendDelta(w, map[string]any{"tool_calls": []any{map[string]any{"index": 0, "function": part}}}, "")
		}
		finish = "tool_calls"
	}
	if f.finish != "" {
		finish = f.finish
	}
	sendDelta(w, map[string]any{}, finish)
	if s.usage >= 0 {
		usage := map[string]int{"prompt_tokens": s.usage}
		if s.usage == 0 {
			usage["completion_tokens"] = len(words)
			for _, m := range call.Messages {
				usage["prompt_tokens"] += len(strings.Fields(m.Content))
			}
		}
		event(w, map[string]any{"choices": []any{}, "usage": usage})
	}
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}

func sendDelta(w http.ResponseWriter, delta map[string]any, finish string) {
	choice := map[string]any{"index": 0, "delta": delta, "finish_reason": nil}
	if finish != "" {
		choice["finish_reason"] = finish
	}
	event(w, map[string]any{"choices": []any{choice}, "usage": nil})
}

func event(w http.ResponseWriter, v any) {
	data, _ := json.Marshal(v) // what the stub makes can't fail
	_, _ = fmt.Fprintf(w, "data: %s\n\n", data)
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

var orderNumber = regexp.MustCompile(`\b\d{4}\b`)

// shop answers as the bot of a shop.
func shop(text string) reply {
	orders := orderNumber.FindAllString(text, -1)
	switch {
	case strings.Contains(text, "refund"):
		return reply{handOver: "refunds are for people to decide"}
	case strings.Contains(text, "gift") && len(orders) > 0:
		return reply{text: "Order " + strings.Join(orders, " and ") + " will arrive tomorrow, and it is wrapped as a gift."}
	case len(orders) > 0:
		return reply{text: "Order " + strings.Join(orders, " and ") + " will arrive tomorrow between nine and twelve."}
	}
	return reply{text: "Hello! Which order is it about?"}
}
