package crisp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/crisp-go/crisp/internal/pace"
)

// Conditions to test for with [errors.Is].
var (
	// ErrUnauthorized: Crisp refused the credentials, over the RTM API
	// (event "unauthorized") or REST (401 or 403, but see [ErrScope]). Retrying
	// can't help, so it ends [RTM.Run]. A 401 or 403 that is not Crisp's own
	// ([APIError.FromCrisp]), such as that of a gateway, is no such refusal.
	ErrUnauthorized = errors.New("crisp: credentials refused")

	// ErrScope: Crisp accepts the credentials, but they are not for this REST
	// call: the token lacks the scope or has no access to the website (reason
	// "not_allowed"), or is of another kind than the route wants (reason
	// "restricted_route_tier"). Where it is the endpoint that may not be asked
	// for, it ends [RTM.Run]. It does not match [ErrUnauthorized].
	ErrScope = errors.New("crisp: the token may not do that")

	// ErrRoom: Crisp refuses websites of [Filter].Rooms, because they have removed the
	// plugin, or were never open to the token. The RTM client leaves them out
	// (Hooks.RoomsRefused); if no other is left, it ends [RTM.Run]. It does not match
	// [ErrUnauthorized].
	ErrRoom = errors.New("crisp: website not open to the token")

	// ErrClosed: the RTM client was closed or shut down. It is what [RTM.Run]
	// returns after [RTM.Close] and [RTM.Shutdown], as net/http's servers do.
	ErrClosed = errors.New("crisp: RTM client closed")

	// ErrRunning: [RTM.Run] was called a second time; make another RTM.
	ErrRunning = errors.New("crisp: RTM.Run was called already: an RTM runs once, make another with Client.NewRTM")

	// ErrSignature: a web hook's signature or URL secret is missing or wrong.
	ErrSignature = errors.New("crisp: web hook not authentic")

	// ErrStale: a web hook's signed timestamp is too old or in the future.
	ErrStale = errors.New("crisp: web hook timestamp outside the tolerance")

	// ErrSilent: the RTM server did not answer the authentication. Crisp
	// leaves connections silent that exceed its (unpublished) limits per IP,
	// token or website.
	ErrSilent = errors.New("crisp: no answer to the RTM authentication: the connection limit may have been reached (share one RTM client between your users)")

	// ErrTooLarge: an answer, a web hook or a frame exceeds the size limit, or a
	// subscription that of the server.
	ErrTooLarge = errors.New("crisp: too large")

	// ErrSlowConsumer: handlers are slower than the events come and the queue
	// is full, so that events are dropped (only with [OverflowDrop]). It is
	// reported once per episode.
	ErrSlowConsumer = errors.New("crisp: handlers are too slow: the queue is full and events are dropped")

	// ErrPosition: a stored position can't be read, is ahead of the clock, or is
	// saved by somebody else, too. [RTM.Run] goes on without it, after telling the
	// router's error handler: what was missed since the last run is then unknown.
	ErrPosition = errors.New("crisp: the stored position is unusable")

	// ErrRateLimited: a REST call was refused because there were too many (status
	// 429 or 420), until the time for it was over. The client slows down and
	// sends such calls again by itself, as long as their contexts last.
	ErrRateLimited = pace.ErrRateLimited

	// ErrQuota: a REST call was refused because the token's daily quota is used
	// up: status 423 (reason "quota_limit_exceeded"), any refusal whose reason
	// names a quota, or status 429 or 420 with a Retry-After of more than 15
	// minutes, which no rate limit needs. Such calls are not sent again, and a
	// backfill ends with them. Not being rate limited, it does not match
	// [ErrRateLimited].
	ErrQuota = errors.New("crisp: quota used up")

	// ErrReplyLimit: a handler would have sent more messages into a conversation
	// than [LimitReplies] allows.
	ErrReplyLimit = errors.New("crisp: reply limit of the conversation reached")

	// ErrPaused: a person has answered in the conversation while a handler was at a
	// message of it. It is the cause of the end of the handler's context, and what is
	// sent with that is refused with it: see [PauseOnHuman].
	ErrPaused = errors.New("crisp: a person has taken over the conversation")

	// ErrSuperseded: the visitor has said more while a handler was at what they said
	// before. It is the cause of the end of the handler's context, and what is sent
	// with that is refused with it: see [Supersede].
	ErrSuperseded = errors.New("crisp: the visitor has said more meanwhile")

	// ErrClaimLost: another process has taken over the event that a handler is at,
	// because this one was stopped, or did not reach the store, for longer than the
	// lease. It is the cause of the end of the handler's context: see [Once].
	ErrClaimLost = errors.New("crisp: another process has taken the event over")

	// ErrLeaseLost: this process no longer holds a lease. It is the cause of the end
	// of a context: see [Lead].
	ErrLeaseLost = errors.New("crisp: the lease is no longer this process's")

	// ErrInsecure: an endpoint without TLS on a host that is not loopback, or
	// named by a Crisp that is not.
	ErrInsecure = errors.New("crisp: refusing an endpoint without TLS (only loopback hosts may do without)")
)

// shown is what errors and logs show of a name that somebody else has chosen: as
// it is if that can do no harm, else quoted, and cut.
func shown(name string) string {
	const most = 200
	long := len(name) > most
	if !long && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return name
	}
	if long {
		return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(name[:most]), len(name))
	}
	return strconv.Quote(name)
}

// formatError prints no more of an error than its text, whatever the verb is.
func formatError(f fmt.State, verb rune, err error) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), err.Error())
}
