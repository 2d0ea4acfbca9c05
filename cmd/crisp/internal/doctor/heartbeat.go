package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/coder/websocket"

	"github.com/crisp-go/crisp/internal/socketio"
)

// longestWatch bounds the wait for a heartbeat unless Config.HeartbeatFor does.
const longestWatch = time.Minute

// tellsOfWaits is how long a wait may be before it is announced.
const tellsOfWaits = 2 * time.Second

// watch is what happened to the connection while it was watched.
type watch struct {
	lasted  time.Duration
	silence time.Duration // before the end: how long nothing came from the server
	beat    bool          // the server's heartbeat came
	err     error         // why the connection ended; nil if it did not
}

func (e *examination) checkHeartbeat(ctx context.Context) Finding {
	interval := e.conn.Handshake().PingInterval
	due := interval + max(interval/5, time.Second) // plus what the network may add
	limit := min(due, longestWatch)
	if e.HeartbeatFor > 0 {
		limit = min(due, e.HeartbeatFor)
	}
	if limit > tellsOfWaits {
		e.Note("waiting for the server's heartbeat, %s at most (--for)", rounded(limit))
	}
	seen := e.watch(ctx, limit)
	switch {
	case seen.err != nil && endedByServer(seen.err):
		return wrong("the server ended the connection after %s: %s", rounded(seen.lasted), plain(seen.err)).
			do("too many connections can look so: close others with this token; a restart of the server, too: try again")
	case seen.err != nil:
		return wrong("the connection was cut after %s without traffic, and the server's heartbeat comes each %s only: %s", rounded(seen.silence), interval, plain(seen.err)).
			do("a proxy, firewall or load balancer ends connections that are idle for about %s: have it allow at least %s (nginx: proxy_read_timeout and proxy_send_timeout; "+
				"HAProxy: timeout tunnel)", rounded(seen.silence), 2*interval)
	case seen.beat:
		return ok("came, after a silence of %s", rounded(seen.silence))
	case limit >= due:
		return wrong("nothing came for %s, though the server's heartbeat is due each %s", rounded(seen.silence), interval).
			do("something in between keeps the connection open, but no longer passes anything on (an idle timeout in silence, or a proxy that buffers): " +
				"have it allow long-lived WebSockets, unbuffered")
	default:
		return skipped("the connection lived for %s; the heartbeat comes each %s", rounded(seen.lasted), interval).
			do("wait for it: --for %s", due)
	}
}

// watch reads the connection until the server's heartbeat comes, it ends, or the limit
// is reached.
func (e *examination) watch(ctx context.Context, limit time.Duration) watch {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	events, ended := e.read()
	poll := time.NewTicker(max(limit/200, 5*time.Millisecond))
	defer poll.Stop()
	began := time.Now()
	seen, last, beatAt := watch{}, began, time.Time{}
	for {
		select {
		case <-events: // the bytes that came were an event, not a heartbeat
			last, beatAt = time.Now(), time.Time{}
		case seen.err = <-ended:
		case <-poll.C:
			switch heard := e.conn.LastHeard(); {
			case !beatAt.IsZero():
				seen.beat = true
			case heard.After(last):
				beatAt = heard // a heartbeat, unless an event turns up before the next tick
			}
		case <-ctx.Done():
		}
		if seen.err != nil || seen.beat || ctx.Err() != nil {
			end := time.Now()
			if seen.beat {
				end = beatAt
			}
			seen.lasted, seen.silence = end.Sub(began), end.Sub(last)
			return seen
		}
	}
}

// read reads the connection in a goroutine until it ends. Reading also answers heartbeats.
func (e *examination) read() (events <-chan struct{}, ended <-chan error) {
	came, end := make(chan struct{}, 1), make(chan error, 1)
	e.reading.Go(func() {
		for {
			if _, err := e.conn.Next(); err != nil {
				end <- err
				return
			}
			select {
			case came <- struct{}{}:
			default:
			}
		}
	})
	return came, end
}

// endedByServer reports whether a connection ended because the server said so.
func endedByServer(err error) bool {
	var closed websocket.CloseError
	return errors.Is(err, socketio.ErrServerDisconnect) || errors.As(err, &closed)
}
