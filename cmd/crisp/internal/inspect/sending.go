package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/trigger"
)

// source is that of events which were sent from the page.
const source crisp.Source = "inspector"

// Target is where events can be sent.
type Target struct {
	Name string
	// Send makes one attempt. Its error says that none could be made.
	Send func(context.Context, trigger.Delivery, trigger.Made) (forward.Answer, error)
}

// HTTPTarget is a target of web hooks. Each attempt is signed anew.
func HTTPTarget(name, url string, signing func() forward.Signing, timeout time.Duration) Target {
	return Target{name, func(ctx context.Context, how trigger.Delivery, made trigger.Made) (forward.Answer, error) {
		transport := forward.NewTransport(1)
		defer transport.CloseIdleConnections()
		sender, err := forward.NewHTTP(url, how.Signing(signing()), timeout, transport)
		if err != nil {
			return forward.Answer{}, err
		}
		return sender.Send(ctx, how.Attempts(made, time.Now())[0]), nil
	}}
}

// sending is a request to send an event.
type sending struct {
	Envelope json.RawMessage `json:"envelope"` // the body of its web hook
	Body     string          `json:"body"`     // the same as a text, which need not be JSON
	Target   string          `json:"target"`   // the name of a target, or a URL of this machine
	Attempt  int             `json:"attempt"`  // that it claims to be; 0 = the first
	KeepTime bool            `json:"keep_time"`
	BadSign  bool            `json:"bad_signature"`
	Stale    bool            `json:"stale"`
}

// sent is what became of it.
type sent struct {
	ID       *ID             `json:"id,omitempty"` // of the event's record; none if the body is no event
	Delivery record.Delivery `json:"delivery"`
}

// sendTimeout is how long a target may take to answer.
const sendTimeout = 10 * time.Second

// replay sends an event, which is recorded like one that has come.
func (s *Server) replay(r *http.Request) (any, error) {
	var what sending
	if err := decode(r, &what); err != nil {
		return nil, err
	}
	target, err := s.target(what.Target)
	if err != nil {
		return nil, err
	}
	body, err := what.body(time.Now())
	if err != nil {
		return nil, err
	}
	how := trigger.Delivery{Attempt: max(what.Attempt, 1), BadSignature: what.BadSign, Stale: what.Stale}
	how.Limit = max(how.Attempt, 5)
	made := trigger.Made{Body: body}
	ev, err := record.Parse(body)
	if err == nil {
		made.Name, made.Payload = ev.Name(), ev.Event.EventMeta().Raw
		ev.Event.EventMeta().Source = source
	}
	answer, err := target.Send(r.Context(), how, made)
	if err != nil {
		return nil, err
	}
	done := sent{Delivery: answer.Record(target.Name, made.Name, how.Attempt, how.Limit)}
	if ev != nil {
		id := ID{s.cfg.Ring.Run(), s.cfg.Record(ev)}
		done.ID, done.Delivery.Of = &id, id.N
	}
	s.cfg.Record(&done.Delivery)
	return done, nil
}

func decode(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the body: %w", err)
	}
	return nil
}

// body returns what is to be sent.
func (w *sending) body(now time.Time) ([]byte, error) {
	switch {
	case (w.Envelope == nil) == (w.Body == ""):
		return nil, errors.New("one of envelope and body is needed")
	case w.Envelope == nil:
		return []byte(w.Body), nil
	case w.KeepTime:
		return w.Envelope, nil
	}
	body, _, err := jsontext.Set(w.Envelope, jsontext.Path{"timestamp"}, json.RawMessage(strconv.FormatInt(now.UnixMilli(), 10)))
	return body, err
}

// target returns a target by its name, or that of a URL of this machine.
func (s *Server) target(name string) (Target, error) {
	if i := slices.IndexFunc(s.cfg.Targets, func(t Target) bool { return t.Name == name }); i >= 0 {
		return s.cfg.Targets[i], nil
	}
	if name == "" {
		return Target{}, errors.New("target is missing: the name of one, or a URL of this machine")
	}
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isLoopback(u.Hostname()) {
		return Target{}, errors.New("the target is none of those that the command was given, and no URL of this machine, such as http://127.0.0.1:8080/hooks")
	}
	if s.cfg.Signing == nil {
		return Target{}, errors.New("there is no secret to sign with: start the command with --secret-file, or CRISP_SIGNING_SECRET")
	}
	u.User = nil
	return HTTPTarget(u.Scheme+"://"+u.Host+u.Path, name, s.cfg.Signing, sendTimeout), nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
