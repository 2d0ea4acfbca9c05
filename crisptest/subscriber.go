package crisptest

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

// How web hooks are delivered. Crisp's own values are not documented.
const (
	defaultHookAttempts = 5
	defaultHookDelay    = 100 * time.Millisecond
	hookTimeout         = 10 * time.Second // for the answer
)

// AddPluginHook delivers events to a URL as a plugin's web hooks, signed with
// [Server.SigningSecret]: the events with the given names, or all that Crisp
// sends by web hook. A delivery that is not answered with a 2xx status within
// 10 s is attempted again: see [WithHookRetries]. Events are delivered one after
// the other, in their order, until the server is closed or the hook is removed.
func (s *Server) AddPluginHook(url string, events ...string) *Subscriber {
	return s.addSubscriber(&Subscriber{server: s, url: url, secret: s.signingSecret, origin: originPlugin, limit: s.hookAttempts, events: events})
}

// AddWebsiteHook is like [Server.AddPluginHook] for the web hooks of a website.
// They are neither signed nor delivered again; their secret is part of the URL,
// such as http://127.0.0.1:8080/hooks?key=SECRET.
func (s *Server) AddWebsiteHook(url string, events ...string) *Subscriber {
	return s.addSubscriber(&Subscriber{server: s, url: url, origin: originWebsite, limit: 1, events: events})
}

// Subscriber is a URL to which web hooks are delivered, as added by
// [Server.AddPluginHook] or [Server.AddWebsiteHook].
type Subscriber struct {
	server *Server
	ctx    context.Context // of the goroutine that delivers; ends when it is removed
	stop   context.CancelFunc
	url    string
	origin string
	secret string
	limit  int           // of attempts
	events []string      // names; empty means all
	wake   chan struct{} // holds a token while there is something in the queue

	// Server.mu guards what follows.
	queue     []*hook
	waiting   int // bytes of bodies in the queue
	duplicate countdown
	reorder   countdown
	held      []*hook // held back, to be reordered
}

func (s *Server) addSubscriber(sub *Subscriber) *Subscriber {
	sub.wake = make(chan struct{}, 1)
	sub.ctx, sub.stop = context.WithCancel(s.ctx)
	if !s.begin() {
		return sub
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers = append(s.subscribers, sub)
	go sub.run()
	return sub
}

// Remove ends the deliveries to the URL, as when the web hook is deleted in Crisp:
// neither the events that wait for theirs are delivered any more, nor those that
// failed again. A delivery in progress goes on. Removing it again has no effect.
func (sub *Subscriber) Remove() {
	s := sub.server
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.stop()
	sub.forget()
	s.subscribers = slices.DeleteFunc(s.subscribers, func(other *Subscriber) bool { return other == sub })
}

// forget empties the queue; Server.mu is held.
func (sub *Subscriber) forget() { sub.queue, sub.held, sub.waiting = nil, nil, 0 }

// notify queues the web hooks of an event; s.mu is held.
func (s *Server) notify(name string, payload []byte) {
	if len(s.subscribers) == 0 || slices.Contains(s.rtmOnly, name) || !json.Valid(payload) {
		return
	}
	now := s.now()
	var body []byte
	for _, sub := range s.subscribers {
		if len(sub.events) > 0 && !slices.Contains(sub.events, name) {
			continue
		}
		if body == nil {
			body = hookBody(name, payload, now)
		}
		h := newPluginHook(sub.secret, now, name)
		h.origin, h.limit, h.body = sub.origin, sub.limit, body
		sub.add(h)
	}
}

// rtmOnlyEvents returns the names of the events that are never sent by web hook.
func rtmOnlyEvents() []string {
	var names []string
	for _, info := range crisp.Events() {
		if info.RTMOnly {
			names = append(names, info.Name)
		}
	}
	return names
}

// add queues a hook, subject to the current faults; Server.mu is held.
func (sub *Subscriber) add(h *hook) {
	if sub.reorder.take() {
		sub.held = append(sub.held, h)
		if sub.reorder == 0 {
			sub.release()
		}
		return
	}
	sub.push(h)
	if sub.duplicate.take() {
		again := *h
		sub.push(&again)
	}
}

// release queues the hooks that were held back, last first; Server.mu is held.
func (sub *Subscriber) release() {
	slices.Reverse(sub.held)
	sub.push(sub.held...)
	sub.held = nil
}

// heal ends the faults; Server.mu is held.
func (sub *Subscriber) heal() {
	sub.duplicate, sub.reorder = 0, 0
	sub.release()
}

// push appends hooks to the queue, and forgets the first if there are too many, or they
// take too much; Server.mu is held.
func (sub *Subscriber) push(hooks ...*hook) {
	sub.queue = append(sub.queue, hooks...)
	for _, h := range hooks {
		sub.waiting += len(h.body)
	}
	limit := sub.server.history
	for len(sub.queue) > limit || sub.waiting > mostBytes(limit) && len(sub.queue) > 1 {
		sub.shift()
	}
	select {
	case sub.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run delivers hooks until the server is closed or they are removed.
func (sub *Subscriber) run() {
	s := sub.server
	defer s.wg.Done()
	for {
		select {
		case <-sub.wake:
		case <-sub.ctx.Done():
			return
		}
		for h := sub.pop(); h != nil; h = sub.pop() {
			sub.attempt(h)
		}
	}
}

func (sub *Subscriber) pop() *hook {
	sub.server.mu.Lock()
	defer sub.server.mu.Unlock()
	if len(sub.queue) == 0 {
		return nil
	}
	return sub.shift()
}

// shift takes the first hook of the queue; Server.mu is held.
func (sub *Subscriber) shift() *hook {
	h := sub.queue[0]
	sub.queue[0] = nil
	sub.queue = sub.queue[1:]
	sub.waiting -= len(h.body)
	return h
}

// attempt delivers a hook. If that fails, it arranges for the next attempt.
func (sub *Subscriber) attempt(h *hook) {
	s := sub.server
	ctx, cancel := context.WithTimeout(s.ctx, hookTimeout)
	defer cancel()
	_, d := s.deliver(ctx, sub.url, h)
	if d.Delivered() || h.attempt >= h.limit || !s.begin() {
		return
	}
	go sub.redeliver(*h)
}

// redeliver queues the next attempt after the delay. The body stays the same, but
// is signed again with the new time.
func (sub *Subscriber) redeliver(h hook) {
	s := sub.server
	defer s.wg.Done()
	if !sleep(sub.ctx, s.hookDelay) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.ctx.Err() != nil { // it was removed in the meantime
		return
	}
	h.attempt++
	h.sent = s.now()
	sub.push(&h)
}
