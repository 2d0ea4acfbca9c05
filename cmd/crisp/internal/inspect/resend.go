package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/trigger"
)

// Target is a target that the command forwards events to.
type Target struct {
	forward.Sender
	// Wrong signs with a wrong secret; nil if nothing is signed.
	Wrong forward.Sender
}

// resend is a request to send an event again, changed perhaps.
type resend struct {
	Of           string          `json:"of"`       // ID of the original event
	Envelope     json.RawMessage `json:"envelope"` // the body as JSON, or
	Body         string          `json:"body"`     // the body as any text
	Target       string          `json:"target"`   // a target's name, or a URL on loopback
	Attempt      int             `json:"attempt"`
	KeepTime     bool            `json:"keep_time"` // sign with the time at which the event came
	BadSignature bool            `json:"bad_signature"`
	Stale        bool            `json:"stale"`
}

// hasOptions reports whether it differs from the delivery of a new event.
func (what *resend) hasOptions() bool {
	return what.Attempt != 1 || what.KeepTime || what.BadSignature || what.Stale
}

// resendTimeout is how long a target may take to answer.
const resendTimeout = 10 * time.Second

// attemptLimit is the limit of attempts that deliveries state, as Crisp's do.
const attemptLimit = 5

func (s *Server) replay(r *http.Request) (any, error) {
	what := resend{Attempt: 1}
	if err := decode(r, &what); err != nil {
		return nil, err
	}
	body := []byte(what.Body)
	switch {
	case len(what.Envelope) > 0 && what.Body != "":
		return nil, errors.New("envelope and body: one of them is what to send")
	case len(what.Envelope) > 0:
		body = what.Envelope
	case what.Body == "":
		return nil, errors.New("envelope or body is missing: what to send")
	}
	if what.Attempt < 1 || what.Attempt > 1000 {
		return nil, fmt.Errorf("attempt is %d; it must be from 1 to 1000", what.Attempt)
	}
	if s.cfg.Serve != nil && what.Target == programs {
		if what.hasOptions() {
			return nil, errors.New("programs are sent what Crisp would send: attempt, keep_time, bad_signature and stale are for the URL of a web hook")
		}
		return s.emit(r.Context(), body)
	}
	target, err := s.target(what)
	if err != nil {
		return nil, err
	}
	return s.send(r.Context(), target, what, body)
}

// target returns the sender for a target's name or a URL on loopback.
func (s *Server) target(what resend) (forward.Sender, error) {
	i := slices.IndexFunc(s.cfg.Targets, func(t Target) bool { return t.Name() == what.Target })
	switch {
	case i < 0:
		return s.loopback(what)
	case !what.BadSignature:
		return s.cfg.Targets[i].Sender, nil
	case s.cfg.Targets[i].Wrong == nil:
		return nil, fmt.Errorf("what goes to %s is not signed, so that no signature can be bad", what.Target)
	default:
		return s.cfg.Targets[i].Wrong, nil
	}
}

func (s *Server) loopback(what resend) (forward.Sender, error) {
	u, err := url.Parse(what.Target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isLoopback(u.Hostname()) {
		return nil, errors.New("the target is neither one that the command forwards to, nor a URL on loopback such as http://127.0.0.1:8080/hooks")
	}
	signing := s.cfg.Signing
	if signing.URLParam != "" && u.Query().Has(signing.URLParam) {
		signing.URLParam, signing.URLSecret = "", ""
	}
	if what.BadSignature {
		if signing.Secret == "" && signing.URLParam == "" {
			return nil, errors.New("there is no secret to sign with, so that no signature can be bad")
		}
		signing = trigger.Delivery{BadSignature: true}.Signing(signing)
	}
	return forward.NewHTTP(what.Target, signing, resendTimeout, loopbackTransport)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// loopbackTransport connects only to loopback, whatever a name resolves to, and uses no
// proxy.
var loopbackTransport = &http.Transport{
	DialContext: (&net.Dialer{
		Timeout: 5 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			if host, _, err := net.SplitHostPort(address); err != nil || !isLoopback(host) {
				return errors.New("the target is not on loopback")
			}
			return nil
		},
	}).DialContext,
	DisableKeepAlives: true,
}

// send makes one attempt, and records the event and the delivery.
func (s *Server) send(ctx context.Context, target forward.Sender, what resend, body []byte) (any, error) {
	attempt := forward.Attempt{Body: body, Number: what.Attempt, Limit: max(attemptLimit, what.Attempt), SignedAt: time.Now()}
	if what.KeepTime {
		attempt.SignedAt = s.timeOf(what, body)
	}
	if what.Stale {
		attempt.SignedAt = attempt.SignedAt.Add(-time.Hour)
	}
	var of uint64
	if ev, err := record.Parse(body); err == nil {
		ev.Event.EventMeta().Source = sourceInspector
		attempt.Event = ev.Name()
		noted, err := s.cfg.Repeat(ev)
		if err != nil {
			return nil, refused{err, http.StatusInternalServerError}
		}
		of = noted.N
	} else if run, n, ok := parseID(what.Of); ok && run == s.cfg.Run {
		of = n
	}
	answer := target.Send(ctx, attempt)
	made := answer.Record(target.Name(), attempt.Event, attempt.Number, attempt.Limit)
	made.Of = of
	noted, err := s.cfg.Repeat(&made)
	if err != nil {
		return nil, refused{err, http.StatusInternalServerError}
	}
	e := FromRecord(s.cfg.Run, noted)
	e.Summary.Source = string(sourceInspector)
	return e, nil
}

// timeOf returns when the original event came, or else the body's timestamp, or now.
func (s *Server) timeOf(what resend, body []byte) time.Time {
	if e, ok := s.cfg.Ring.Get(what.Of); ok {
		return e.At
	}
	var envelope struct {
		Timestamp int64 `json:"timestamp"`
	}
	if json.Unmarshal(body, &envelope) == nil && envelope.Timestamp > 0 {
		return time.UnixMilli(envelope.Timestamp)
	}
	return time.Now()
}
