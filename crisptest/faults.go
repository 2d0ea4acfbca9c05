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

// faults are what goes wrong from now on; Server.mu guards them.
type faults struct {
	rejectAuth    bool
	rejectMessage string
	ignoreAuth    countdown
	hangUp        countdown
	down          bool
	broken        bool      // the announced endpoint, not its rescue
	upgrade       []failure // in the order they were asked for
	rest          []failure // in the order they were asked for
	slow          time.Duration
	skew          time.Duration
}

// countdown is how often something is to happen yet; always if negative.
type countdown int

// take uses one of them up, if there is one.
func (c *countdown) take() bool {
	if *c > 0 {
		*c--
		return true
	}
	return *c < 0
}

// failure is an answer that fails, and how often it is given.
type failure struct {
	left       countdown
	status     int
	retryAfter time.Duration
	body       string // instead of Crisp's form
}

func newFailure(status, n int, retryAfter []time.Duration) failure {
	f := failure{left: countdown(n), status: status}
	if len(retryAfter) > 0 {
		f.retryAfter = retryAfter[0]
	}
	return f
}

// header says when to come again, if that is to be said.
func (f *failure) header(h http.Header) {
	if f.retryAfter > 0 {
		seconds := (f.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
}

// next takes the failure that is due from the front of a queue.
func next(queue *[]failure) (failure, bool) {
	for len(*queue) > 0 {
		if first := &(*queue)[0]; first.left.take() {
			return *first, true
		}
		*queue = (*queue)[1:]
	}
	return failure{}, false
}

// Heal ends all faults that last: whatever is not healthy yet by itself. Lost
// connections stay lost, silent ones silent. Hooks that were held back are
// delivered.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults{}
	for _, sub := range s.subscribers {
		sub.heal()
	}
}

// Drop is a way to lose a connection.
type Drop int

const (
	// DropClose ends it with a WebSocket close frame, as a server that is
	// restarted does.
	DropClose Drop = iota
	// DropCut ends the TCP connection without a close frame, as when the
	// server's process is killed.
	DropCut
	// DropReset ends it with a TCP reset, as when a host or a middlebox lost
	// its state. What was on its way is lost.
	DropReset
	// DropPacket sends Socket.IO's disconnect packet, 41, and leaves the
	// connection open with its heartbeat: the session is over, though nothing
	// has closed.
	DropPacket
)

// DropConnections loses all RTM connections, by DropClose unless told
// otherwise. When it returns, no session is open; a client may open new ones.
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

// endAll ends all sessions and gives the connections there are.
func (s *Server) endAll(why string, drop Drop) []*engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	if drop == DropPacket {
		for _, session := range s.sessions {
			session.engine.send(disconnectFrame)
		}
	}
	s.endWhere(why, func(*session) bool { return true })
	s.changes.announce()
	return slices.Collect(maps.Keys(s.engines))
}

// GoSilent turns the RTM connections that are open into half-open ones, as
// when a host vanishes: they stay, and nothing ever comes on them again, no
// heartbeat and no close. New connections work.
func (s *Server) GoSilent() {
	for _, e := range s.endAll("gone silent by the test", DropClose) {
		e.mute()
	}
}

// TakeDown takes RTM down, as when its host is restarted: connections are cut,
// and new ones until [Server.BringUp] or [Server.Heal].
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

// MoveEndpoint moves RTM to another port and path, which REST tells from now
// on. The old address is gone, with its connections. It panics on a server that
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
	old.close()
	s.DropConnections(DropCut)
}

// BreakEndpoint makes REST announce an RTM endpoint that refuses connections,
// and the working one as its rescue, until [Server.Heal]. Sessions that are
// open stay.
func (s *Server) BreakEndpoint() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.broken = true
}

// announced is what REST says of RTM.
func (s *Server) announced() endpoints {
	s.mu.Lock()
	defer s.mu.Unlock()
	working := socketURL{App: s.rtm.rtmURL()}
	if !s.faults.broken {
		return endpoints{Socket: working}
	}
	return endpoints{
		Socket: socketURL{App: s.rtm.url + "/gone/"},
		Rescue: &rescue{Socket: working},
	}
}

// RejectAuth answers every RTM authentication with "unauthorized", and the
// message if one is given, until [Server.Heal].
func (s *Server) RejectAuth(message ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.rejectAuth = true
	s.faults.rejectMessage = cmp.Or(slices.Concat(message, []string{"invalid authentication"})...)
}

// IgnoreAuth leaves the next n RTM authentications without an answer, and the
// connections open; all of them, until [Server.Heal], if n is negative.
func (s *Server) IgnoreAuth(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.ignoreAuth = countdown(n)
}

// RefuseUpgrade answers the next n WebSocket handshakes with an HTTP status,
// and a Retry-After header of whole seconds if a duration is given; all of them,
// until [Server.Heal], if n is negative.
func (s *Server) RefuseUpgrade(status, n int, retryAfter ...time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.upgrade = append(s.faults.upgrade, newFailure(status, n, retryAfter))
}

// HangUp closes the next n RTM connections right after their Engine.IO open
// packet; all of them, until [Server.Heal], if n is negative.
func (s *Server) HangUp(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.hangUp = countdown(n)
}

// failUpgrade does what the faults in force do to a WebSocket handshake, and
// tells whether that was the end of it.
func (s *Server) failUpgrade(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	down := s.faults.down
	refusal, refused := next(&s.faults.upgrade)
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

// FailREST answers the next n REST requests, of any route, with a status, and
// a Retry-After header of whole seconds if a duration is given; all of them,
// until [Server.Heal], if n is negative. Failures that are asked for one after
// the other happen one after the other.
func (s *Server) FailREST(status, n int, retryAfter ...time.Duration) {
	s.addRESTFailure(newFailure(status, n, retryAfter))
}

// GarbleREST answers the next n REST requests with status 200 and a body that
// is not Crisp's, such as a gateway's HTML page; all of them, until
// [Server.Heal], if n is negative.
func (s *Server) GarbleREST(body string, n int) {
	s.addRESTFailure(failure{left: countdown(n), status: http.StatusOK, body: body})
}

func (s *Server) addRESTFailure(f failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.rest = append(s.faults.rest, f)
}

// SlowREST delays every REST answer, until [Server.Heal] or SlowREST(0). With
// a delay beyond the client's patience, REST hangs.
func (s *Server) SlowREST(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.slow = delay
}

// DuplicateHooks delivers the next n events twice to each of the web hooks that
// were added; all of them, until [Server.Heal], if n is negative.
func (s *Server) DuplicateHooks(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subscribers {
		sub.duplicate = countdown(n)
	}
}

// ReorderHooks holds the next n events back from each of the web hooks that
// were added, and delivers them, last first, when there are that many.
func (s *Server) ReorderHooks(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subscribers {
		sub.reorder = countdown(max(n, 0))
	}
}

// SendFrame sends a text frame to every RTM connection that is open, for what
// a server should not send: "6", "44{}", "459999-[]", no packet at all. It
// takes its turn among the events.
func (s *Server) SendFrame(text string) {
	s.sendToAll(frame{kind: websocket.MessageText, data: []byte(text)})
}

// SendBinary is SendFrame for a binary frame.
func (s *Server) SendBinary(data []byte) {
	s.sendToAll(frame{kind: websocket.MessageBinary, data: slices.Clone(data)})
}

// SendBytes sends bytes beneath WebSocket to every RTM connection that is
// open: what is no frame, or the beginning of one that never ends.
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

// SkewClock makes the server's clock differ from the machine's, until
// [Server.Heal]: in the signed timestamps of web hooks and in the times of
// messages and conversations. A negative skew is a clock that is behind.
func (s *Server) SkewClock(skew time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.skew = skew
}

// failREST does what the faults in force do to a REST request, and tells
// whether that was the end of it.
func (s *Server) failREST(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	delay := s.faults.slow
	f, failed := next(&s.faults.rest)
	if !failed {
		f.status, f.retryAfter = s.rate.admit(time.Now())
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
	if f.body != "" {
		w.WriteHeader(f.status)
		_, _ = w.Write([]byte(f.body))
		return true
	}
	writeReply(w, refusal(f.status, reasons[f.status]))
	return true
}

// reasons are what Crisp calls the statuses that refuse a request.
var reasons = map[int]string{
	http.StatusBadRequest:          "invalid_data",
	http.StatusUnauthorized:        "invalid_session",
	http.StatusPaymentRequired:     "subscription_upgrade_required",
	http.StatusForbidden:           "not_allowed",
	http.StatusNotFound:            "not_found",
	http.StatusMethodNotAllowed:    "method_not_allowed",
	statusQuota:                    "quota_limit_exceeded",
	http.StatusTooManyRequests:     "rate_limited",
	http.StatusInternalServerError: "internal_error",
}

// sleep waits, and tells whether there is still any use in going on then.
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
