package crisptest

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

// How hooks are delivered. Crisp's own delays are not documented.
const (
	defaultHookAttempts = 5
	defaultHookDelay    = 100 * time.Millisecond
	hookTimeout         = 10 * time.Second
)

// AddPluginHook delivers events to a URL as a plugin's web hooks, signed with
// [Server.SigningSecret]: the named ones, or all that Crisp sends by web hook.
// What is not answered with a 2xx is delivered again: see [WithHookRetries].
// One delivery follows another, in the order of the events.
func (s *Server) AddPluginHook(url string, events ...string) {
	s.addSubscriber(&subscriber{server: s, url: url, secret: s.signingSecret, origin: originPlugin, limit: s.hookAttempts, events: events})
}

// AddWebsiteHook delivers events to a URL as a website's web hooks, which are
// not signed and not delivered again. The URL carries the secret:
// http://127.0.0.1:8080/hooks?key=SECRET.
func (s *Server) AddWebsiteHook(url string, events ...string) {
	s.addSubscriber(&subscriber{server: s, url: url, origin: originWebsite, limit: 1, events: events})
}

// subscriber is a URL that gets web hooks; Server.mu guards its queue.
type subscriber struct {
	server *Server
	url    string
	origin string
	secret string
	limit  int      // of attempts
	events []string // empty: all
	queue  []*hook
	wake   chan struct{}

	duplicate countdown
	reorder   countdown
	held      []*hook // back, to be reordered
}

func (s *Server) addSubscriber(sub *subscriber) {
	sub.wake = make(chan struct{}, 1)
	if !s.begin() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers = append(s.subscribers, sub)
	go sub.run()
}

// notify queues the hooks of an event; s.mu is held.
func (s *Server) notify(name string, payload []byte) {
	if len(s.subscribers) == 0 || slices.Contains(s.rtmOnly, name) || !json.Valid(payload) {
		return
	}
	for _, sub := range s.subscribers {
		if len(sub.events) > 0 && !slices.Contains(sub.events, name) {
			continue
		}
		h := newPluginHook(sub.secret, s.now(), name, payload)
		h.origin, h.limit = sub.origin, sub.limit
		sub.add(h)
	}
}

// rtmOnlyEvents are those that never come by web hook.
func rtmOnlyEvents() []string {
	var names []string
	for _, info := range crisp.Events() {
		if info.RTMOnly {
			names = append(names, info.Name)
		}
	}
	return names
}

// add queues a hook, as the faults in force have it; Server.mu is held.
func (sub *subscriber) add(h *hook) {
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

// release queues what was held back, last first; Server.mu is held.
func (sub *subscriber) release() {
	slices.Reverse(sub.held)
	sub.push(sub.held...)
	sub.held = nil
}

// heal ends the faults; Server.mu is held.
func (sub *subscriber) heal() {
	sub.duplicate, sub.reorder = 0, 0
	sub.release()
}

// push puts hooks at the end of the queue; Server.mu is held.
func (sub *subscriber) push(hooks ...*hook) {
	sub.queue = append(sub.queue, hooks...)
	select {
	case sub.wake <- struct{}{}:
	default: // it is awake
	}
}

// run delivers until the server is closed.
func (sub *subscriber) run() {
	s := sub.server
	defer s.wg.Done()
	for {
		select {
		case <-sub.wake:
		case <-s.ctx.Done():
			return
		}
		for h := sub.pop(); h != nil; h = sub.pop() {
			sub.attempt(h)
		}
	}
}

func (sub *subscriber) pop() *hook {
	sub.server.mu.Lock()
	defer sub.server.mu.Unlock()
	if len(sub.queue) == 0 {
		return nil
	}
	h := sub.queue[0]
	sub.queue = sub.queue[1:]
	return h
}

// attempt delivers a hook, and again later if it failed.
func (sub *subscriber) attempt(h *hook) {
	s := sub.server
	ctx, cancel := context.WithTimeout(s.ctx, hookTimeout)
	defer cancel()
	_, d := s.deliver(ctx, sub.url, h)
	if d.Delivered() || h.attempt >= h.limit || !s.begin() {
		return
	}
	go sub.redeliver(*h)
}

// redeliver queues the next attempt when its time has come. The body stays the
// same; it is signed anew, with the time it has then.
func (sub *subscriber) redeliver(h hook) {
	s := sub.server
	defer s.wg.Done()
	if !sleep(s.ctx, s.hookDelay) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h.attempt++
	h.sent = s.now()
	sub.push(&h)
}
