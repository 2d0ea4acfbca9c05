package crisptest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// faults are what goes wrong from now on. Server.mu guards them.
type faults struct {
	rejectAuth    bool
	rejectMessage string
	ignoreAuth    countdown
	hangUp        countdown
	down          bool
	broken        bool      // the announced endpoint fails, but not its rescue
	upgrade       []failure // of WebSocket handshakes, in order
	rest          []failure // of REST requests, in order
	slow          time.Duration
	rate          rateLimit // beside that of the options
	skew          time.Duration
}

// countdown is how many more times something is to happen; a negative number
// means always.
type countdown int

// take reports whether it is to happen now, and counts it.
func (c *countdown) take() bool {
	if *c > 0 {
		*c--
		return true
	}
	return *c < 0
}

// failure is an answer that fails a request.
type failure struct {
	left       countdown // how many more requests it is for
	status     int
	retryAfter time.Duration // 0 for no header
	gateway    bool          // the body is that of a gateway, instead of Crisp's form
	body       string
}

func newFailure(status, n int, retryAfter []time.Duration) failure {
	f := failure{left: countdown(n), status: status}
	if len(retryAfter) > 0 {
		f.retryAfter = retryAfter[0]
	}
	return f
}

// header sets Retry-After, rounded up to whole seconds.
func (f *failure) header(h http.Header) {
	if f.retryAfter > 0 {
		seconds := (f.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
}

// nextFailure returns the failure for the next request, if there is one, and removes
// those from the queue that are used up.
func nextFailure(queue *[]failure) (failure, bool) {
	for len(*queue) > 0 {
		if first := &(*queue)[0]; first.left.take() {
			return *first, true
		}
		*queue = (*queue)[1:]
	}
	return failure{}, false
}

// Heal ends all faults that have not ended yet. Connections that were lost or
// have gone silent remain so. Web hooks that were held back are delivered.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults{}
	for _, sub := range s.subscribers {
		sub.heal()
	}
}

// Drop is a way in which a connection ends, for [Server.DropConnections].
type Drop int

const (
	// DropClose ends the connection with a WebSocket close frame, as when a
	// server is restarted.
	DropClose Drop = iota
	// DropCut ends the TCP connection without a close frame, as when the server's
	// process is killed.
	DropCut
	// DropReset ends the TCP connection with a reset, as when a host or a
	// middlebox has lost its state. What was in transit is lost.
	DropReset
	// DropPacket sends Socket.IO's disconnect packet, 41, which ends the session.
	// The connection stays open, with its heartbeat.
	DropPacket
)

// DropConnections ends all RTM connections, by [DropClose] unless another way is
// given. When it returns, no session is open; clients may open new ones.
func (s *Server) DropConnections(how ...Drop) {
	drop := DropClose
	if len(how) > 0 {
		drop = how[0]
	}
	engines := s.endAll("dropped by the test", drop)
	for _, e := range engines {
		switch drop {
		case DropCut:
			e.cut()
		case DropReset:
			e.reset()
		case DropPacket:
		default:
			e.closePolitely()
		}
	}
}

// endAll ends all sessions and returns all connections.
func (s *Server) endAll(why string, drop Drop) []*engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	if drop == DropPacket {
		for _, session := range s.sessions {
			session.engine.send(disconnectFrame)
		}
	}
	s.endWhere(why, func(*liveSession) bool { return true })
	s.changes.announce()
	return slices.Collect(maps.Keys(s.engines))
}

// GoSilent makes the RTM connections that are open half-open, as when a host
// vanishes: they are not closed, but nothing is received on them any more, not
// even heartbeats. New connections work.
func (s *Server) GoSilent() {
	for _, e := range s.endAll("gone silent by the test", DropClose) {
		e.mute()
	}
}

// TakeDown takes the RTM API down, as when its host is restarted: all connections
// are cut, and so are new ones, until [Server.BringUp] or [Server.Heal].
func (s *Server) TakeDown() {
	s.mu.Lock()
	s.faults.down = true
	s.mu.Unlock()
	s.DropConnections(DropCut)
}

// BringUp ends [Server.TakeDown].
func (s *Server) BringUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.down = false
}

// MoveEndpoint moves the RTM API to another port and path, which REST returns from
// now on. The old address and its connections are gone. It panics if the server
// is closed.
func (s *Server) MoveEndpoint() {
	moved, err := s.openRTM()
	if err != nil {
		panic(fmt.Sprintf("crisptest: MoveEndpoint: %v", err))
	}
	s.mu.Lock()
	old := s.rtm
	s.rtm = moved
	s.mu.Unlock()
	s.drop(old)
	s.DropConnections(DropCut)
}

// BreakEndpoint makes REST return an RTM endpoint that refuses connections, with
// the working one as its rescue, until [Server.Heal]. Open connections are not
// affected.
func (s *Server) BreakEndpoint() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.broken = true
}

// announced returns the RTM endpoints as REST returns them to a request that came
// to a host.
func (s *Server) announced(host string) endpoints {
	s.mu.Lock()
	defer s.mu.Unlock()
	working := socketURL{App: s.rtmAt(host, s.rtm.path)}
	if !s.faults.broken {
		return endpoints{Socket: working}
	}
	return endpoints{
		Socket: socketURL{App: s.rtmAt(host, "/gone/")},
		Rescue: &rescue{Socket: working},
	}
}

// RejectAuth answers every RTM authentication with "unauthorized" until
// [Server.Heal]. The message is "invalid authentication" unless one is given.
func (s *Server) RejectAuth(message ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.rejectAuth = true
	s.faults.rejectMessage = cmp.Or(slices.Concat(message, []string{"invalid authentication"})...)
}

// IgnoreAuth doesn't answer the next n RTM authentications, and leaves their
// connections open. If n is negative, it does so until [Server.Heal].
func (s *Server) IgnoreAuth(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.ignoreAuth = countdown(n)
}

// RefuseUpgrade answers the next n WebSocket handshakes with an HTTP status, and
// with a Retry-After header in whole seconds if a duration is given. If n is
// negative, it does so until [Server.Heal].
func (s *Server) RefuseUpgrade(status, n int, retryAfter ...time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.upgrade = append(s.faults.upgrade, newFailure(status, n, retryAfter))
}

// HangUp closes the next n RTM connections right after their Engine.IO open
// packet. If n is negative, it does so until [Server.Heal].
func (s *Server) HangUp(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.hangUp = countdown(n)
}

// failUpgrade applies the current faults to a WebSocket handshake, and reports
// whether they have ended it.
func (s *Server) failUpgrade(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	down := s.faults.down
	refusal, refused := nextFailure(&s.faults.upgrade)
	s.mu.Unlock()
	switch {
	case down:
		_ = connOf(r).Close()
	case refused:
		refusal.header(w.Header())
		http.Error(w, http.StatusText(refusal.status), refusal.status)
	default:
		return false
	}
	return true
}

// FailREST answers the next n REST requests of any route with a status, and with
// a Retry-After header in whole seconds if a duration is given. If n is negative,
// it does so until [Server.Heal]. The failures of several calls follow one
// another.
func (s *Server) FailREST(status, n int, retryAfter ...time.Duration) {
	s.addRESTFailure(newFailure(status, n, retryAfter))
}

// GarbleREST answers the next n REST requests with status 200 and the given body,
// such as the HTML page of a gateway. If n is negative, it does so until
// [Server.Heal].
func (s *Server) GarbleREST(body string, n int) {
	s.GatewayREST(http.StatusOK, body, n)
}

// GatewayREST answers the next n REST requests of any route as something between
// Crisp and the client would: with a status and a body of its own, which may be
// empty, before Crisp has seen the request. If n is negative, it does so until
// [Server.Heal].
func (s *Server) GatewayREST(status int, body string, n int) {
	s.addRESTFailure(failure{left: countdown(n), status: status, gateway: true, body: body})
}

func (s *Server) addRESTFailure(f failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.rest = append(s.faults.rest, f)
}

// SlowREST delays every REST answer until [Server.Heal] or SlowREST(0). A delay
// that is longer than a client's timeout makes REST hang.
func (s *Server) SlowREST(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.slow = delay
}

// DuplicateHooks delivers the next n events twice to each web hook that was
// added. If n is negative, it does so until [Server.Heal].
func (s *Server) DuplicateHooks(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subscribers {
		sub.duplicate = countdown(n)
	}
}

// ReorderHooks holds back the next n events from each web hook that was added,
// and delivers them, last first, once there are n.
func (s *Server) ReorderHooks(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subscribers {
		sub.reorder = countdown(max(n, 0))
	}
}

// SendFrame sends a text frame to every open RTM connection, after the events
// that were sent before it. It is for what Crisp doesn't send or no server should
// send: "6", "44{}", "459999-[]", or something that is no packet at all.
func (s *Server) SendFrame(text string) {
	s.sendToAll(frame{kind: websocket.MessageText, data: []byte(text)})
}

// SendBinary is like [Server.SendFrame] for a binary frame.
func (s *Server) SendBinary(data []byte) {
	s.sendToAll(frame{kind: websocket.MessageBinary, data: slices.Clone(data)})
}

// SendBytes is like [Server.SendFrame] for bytes below WebSocket: something that
// is no frame, or the beginning of a frame that never ends.
func (s *Server) SendBytes(data []byte) {
	s.sendToAll(frame{bare: true, data: slices.Clone(data)})
}

func (s *Server) sendToAll(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.engines {
		e.sendFrame(f)
	}
}

// SkewClock sets the server's clock ahead by a duration, or back if that is
// negative, until [Server.Heal]. The clock dates web hooks, messages, conversations
// and answers of REST (their Date header).
func (s *Server) SkewClock(skew time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.skew = skew
}

// failREST applies the current faults to a REST request, and reports whether they
// have ended it.
func (s *Server) failREST(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	delay := s.faults.slow
	f, failed := nextFailure(&s.faults.rest)
	if !failed {
		f.status, f.retryAfter = s.admit(time.Now())
		failed = f.status != http.StatusOK
	}
	s.mu.Unlock()
	if !sleep(r.Context(), delay) {
		return true
	}
	if !failed {
		return false
	}
	f.header(w.Header())
	if f.gateway {
		w.WriteHeader(f.status)
		_, _ = w.Write([]byte(f.body))
		return true
	}
	writeReply(w, refusal(f.status, reasons[f.status]))
	return true
}

// statusEnhanceYourCalm is one of the two statuses with which Crisp limits rates.
const statusEnhanceYourCalm = 420

// reasons are the reasons that Crisp gives with a status.
var reasons = map[int]string{
	http.StatusBadRequest:          "invalid_data",
	http.StatusUnauthorized:        "invalid_session",
	http.StatusPaymentRequired:     "subscription_upgrade_required",
	http.StatusForbidden:           "not_allowed",
	http.StatusNotFound:            "not_found",
	http.StatusMethodNotAllowed:    "method_not_allowed",
	http.StatusLocked:              "quota_limit_exceeded",
	statusEnhanceYourCalm:          "rate_limited",
	http.StatusTooManyRequests:     "rate_limited",
	http.StatusInternalServerError: "internal_error",
}

// sleep waits for the delay. It returns false if the context ends before.
func sleep(ctx context.Context, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
