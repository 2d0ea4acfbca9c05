package crisp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

const (
	defaultTolerance = 5 * time.Minute
	defaultMaxBody   = 1 << 20
)

// Headers that say more of a web hook, in net/http's canonical form.
const (
	headerOrigin  = "X-Crisp-Hook-Origin"
	headerAttempt = "X-Delivery-Attempt-Count"
	headerLimit   = "X-Delivery-Attempt-Limit"
)

// Webhook receives web hooks and passes their events to a [Router]. It is an
// [http.Handler] for any path of any server. Several are independent of each
// other.
//
// The handlers run before the answer, which is
//
//   - 200 if all of them succeeded, if the event has none, and if it was
//     delivered before and its handlers succeeded then;
//   - 500 if one failed or panicked, so that Crisp delivers the event again, if
//     it is a plugin's hook (those of websites are not retried);
//   - 405 if the request is no POST, 401 if it is not authentic, 413 if its
//     body is too large, 408 or 400 if the body did not arrive, 400 if it is
//     authentic, but no event. If the headers and the URL show that it is not
//     authentic, it is refused before its body is read. The router's error handler
//     hears of each of these, except 405, as a [*WebhookError].
//
// Deliveries run at the same time, in no order, except that those of the same
// event wait for each other. A handler's context has the values of the
// request's, but is not cancelled when Crisp hangs up: a handler that has begun
// should rather succeed late, which answers the redelivery, than fail half-way.
// It ends with [WithHandlerTimeout]. A handler that runs for long is warned of
// ([WithSlowHandler]).
//
// How long a body may take to arrive is up to the server: set
// [http.Server.ReadHeaderTimeout] and [http.Server.ReadTimeout].
type Webhook struct {
	router     *Router
	secrets    func() *secrets // a function: however a Webhook is printed, fmt can't reach them
	dedupe     *deduper        // nil = off
	dispatcher *dispatcher
	logger     *slog.Logger

	checkNames sync.Once // at the first web hook, when all handlers are registered
	counts     webhookCounts
	webhookLimits
}

// webhookLimits are the options that are plain numbers.
type webhookLimits struct {
	tolerance time.Duration // for the age of a signature, both ways
	maxBody   int64         // bytes
}

// WebhookOption changes a default of [NewWebhook].
type WebhookOption interface{ applyWebhook(*webhookConfig) error }

type webhookOption func(*webhookConfig) error

func (o webhookOption) applyWebhook(cfg *webhookConfig) error { return o(cfg) }

func (o HandlerOption) applyWebhook(cfg *webhookConfig) error { return o(&cfg.handling) }

// webhookConfig is what options set.
type webhookConfig struct {
	webhookLimits
	secrets  secrets
	store    DedupeStore
	handling handlingLimits
	logger   *slog.Logger
}

// NewWebhook makes the handler of web hooks for a router. It needs
// [WithSigningSecrets], [WithURLSecrets] or both: without any, nothing would
// be verified, which is an error.
//
// With both, a request that has a signature must be signed rightly, whatever
// its URL; one that has none must have a secret in its URL.
func NewWebhook(r *Router, opts ...WebhookOption) (*Webhook, error) {
	if r == nil {
		return nil, errors.New("crisp: NewWebhook(nil): needs a router")
	}
	cfg := webhookConfig{
		webhookLimits: webhookLimits{tolerance: defaultTolerance, maxBody: defaultMaxBody},
		store:         NewMemoryDedupe(0, 0),
		handling:      handlingLimits{slow: defaultSlowHandler},
		logger:        defaultLogger(),
	}
	for _, opt := range opts {
		if err := opt.applyWebhook(&cfg); err != nil {
			return nil, err
		}
	}
	if len(cfg.secrets.signing) == 0 && len(cfg.secrets.url) == 0 {
		return nil, errors.New("crisp: NewWebhook: nothing to verify web hooks by: needs WithSigningSecrets or WithURLSecrets")
	}
	h := &Webhook{
		router:        r,
		secrets:       func() *secrets { return &cfg.secrets },
		logger:        cfg.logger,
		webhookLimits: cfg.webhookLimits,
	}
	h.dispatcher = newDispatcher(r.Dispatch, cfg.handling, h.warnSlowHandler)
	if cfg.store != nil {
		h.dedupe = newDeduper(cfg.store, r.onError)
	}
	return h, nil
}

// WithSigningSecrets sets the signing secrets of plugin hooks: several while
// one is being rotated, or if several plugins deliver to the same URL.
func WithSigningSecrets(secrets ...string) WebhookOption {
	return webhookOption(func(cfg *webhookConfig) error {
		if err := checkSecrets("WithSigningSecrets", secrets); err != nil {
			return err
		}
		cfg.secrets.setSigning(secrets)
		return nil
	})
}

// WithURLSecrets sets the secrets of website hooks, which are not signed: each
// has one in its URL, as the value of a query parameter such as "key". A plus
// in it may be escaped or not. Mind that access logs tend to show URLs.
func WithURLSecrets(param string, secrets ...string) WebhookOption {
	return webhookOption(func(cfg *webhookConfig) error {
		if param == "" {
			return errors.New("crisp: WithURLSecrets: needs the name of a query parameter")
		}
		if err := checkSecrets("WithURLSecrets", secrets); err != nil {
			return err
		}
		cfg.secrets.setURL(param, secrets)
		return nil
	})
}

// WithTolerance sets how far the time of a signature may be from this
// machine's, both ways. The default is 5 minutes; 0 accepts any time, and with
// it whatever somebody has recorded.
func WithTolerance(d time.Duration) WebhookOption {
	return webhookOption(func(cfg *webhookConfig) error {
		if d < 0 {
			return fmt.Errorf("crisp: WithTolerance(%s): needs 0 or more", d)
		}
		cfg.tolerance = d
		return nil
	})
}

// WithMaxBody sets how many bytes the body of a web hook may have. The default
// is 1 MiB.
func WithMaxBody(bytes int64) WebhookOption {
	return webhookOption(func(cfg *webhookConfig) error {
		if bytes <= 0 {
			return fmt.Errorf("crisp: WithMaxBody(%d): needs at least 1 byte", bytes)
		}
		cfg.maxBody = bytes
		return nil
	})
}

// WithDedupe sets the store that records which deliveries are done. The default
// is a [MemoryDedupe] of its own, which forgets with the process; a store that
// several processes share also knows what the others have done. With nil,
// every delivery runs the handlers.
func WithDedupe(store DedupeStore) WebhookOption {
	return webhookOption(func(cfg *webhookConfig) error {
		cfg.store = store
		return nil
	})
}

// WithHookLogger sets who is warned of what concerns no single web hook: handlers that
// run long, names that no event is known to have, a router without handlers. The default
// is that of [WithLogger].
func WithHookLogger(logger *slog.Logger) WebhookOption {
	return webhookOption(func(cfg *webhookConfig) error {
		if logger == nil {
			return errors.New("crisp: WithHookLogger(nil): needs a logger; for silence, slog.New(slog.DiscardHandler)")
		}
		cfg.logger = logger
		return nil
	})
}

// ServeHTTP receives a web hook. See [Webhook] for what it answers.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := h.serve(w, r)
	if status != http.StatusOK {
		refuse(w, status)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// serve handles a request, and returns the status of the answer.
func (h *Webhook) serve(w http.ResponseWriter, r *http.Request) (status int) {
	h.counts.begin()
	defer func() { h.counts.answered(status) }()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed
	}
	ev, err := h.receive(w, r)
	if err != nil {
		status = statusOf(err)
		h.router.onError(r.Context(), &WebhookError{StatusCode: status, Err: err})
		return status
	}
	if err := h.deliver(r.Context(), ev); err != nil { // the router has reported it
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// receive makes the event of a request; it is nil if no handler wants it. The body is read only
// once everything else has been checked, and is not decoded before it is known to be authentic.
func (h *Webhook) receive(w http.ResponseWriter, r *http.Request) (Event, error) {
	secrets := h.secrets()
	claim, signed, err := secrets.check(r, h.tolerance)
	if err != nil {
		return nil, err
	}
	body, err := readBody(w, r, h.maxBody)
	if err != nil {
		return nil, err
	}
	if signed && !claim.verifies(secrets.signing, body) {
		return nil, errBodyChanged(r.ContentLength, body)
	}
	if len(body) == 0 && r.ContentLength > 0 {
		return nil, fmt.Errorf("the body is empty, but Content-Length is %d: something has read it before, which must put it back", r.ContentLength)
	}
	return h.decode(body, r.Header)
}

// refuse answers with no more than the status: details would help forgers.
func refuse(w http.ResponseWriter, status int) {
	http.Error(w, http.StatusText(status), status)
}

// statusOf returns the status that answers a request which was refused with an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrSignature), errors.Is(err, ErrStale):
		return http.StatusUnauthorized
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	default:
		return http.StatusBadRequest
	}
}

// readBody reads a body whole, into memory of its own, which the event will hold on to. A large
// Content-Length alone takes no memory: nobody knows yet who the sender is.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	const usual, most = 512, 16 << 10
	switch {
	case r.ContentLength > limit:
		return nil, bodyTooLarge(limit)
	case r.Body == nil: // only in a request that did not come through a server
		return nil, nil
	}
	size := usual
	if r.ContentLength >= 0 {
		size = int(min(r.ContentLength+1, most)) // one more, to see the end without growing
	}
	body := make([]byte, 0, size)
	source := http.MaxBytesReader(w, r.Body, limit)
	for {
		n, err := source.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, bodyNotRead(err, limit)
		case len(body) == cap(body):
			body = slices.Grow(body, len(body)) // smaller steps would leave more garbage
		}
	}
}

func bodyNotRead(err error, limit int64) error {
	var exceeded *http.MaxBytesError
	if errors.As(err, &exceeded) {
		return bodyTooLarge(limit)
	}
	return fmt.Errorf("reading the body: %w", err)
}

func bodyTooLarge(limit int64) error {
	return fmt.Errorf("%w: the body exceeds %d bytes", ErrTooLarge, limit)
}

// decode makes the event of an authentic body, or nil if no handler wants it.
func (h *Webhook) decode(body []byte, header http.Header) (Event, error) {
	envelope, err := hookEnvelope(body)
	if err != nil {
		return nil, err
	}
	h.router.freeze()
	h.checkNames.Do(func() { warnOfNames(h.logger, h.router, h.router.registeredNames()) })
	name, wanted := h.router.wants([]byte(envelope.Event))
	if !wanted {
		return nil, nil
	}
	return hookEvent(name, envelope, body, header)
}

// ParseHook makes the event of a plugin's web hook from its bytes, for programs that
// have no server for it: cloud functions, consumers of a queue. It verifies the
// signature and its age as a [Webhook] with [WithSigningSecrets] does; pass what it
// returns to [Router.Dispatch], or switch over its type. It needs the headers with
// canonical names ([http.Header.Set] makes them) and the body as it came. An event
// that the catalog does not have is an [*UnknownEvent].
//
// Options are [WithTolerance], [WithMaxBody], and [WithSigningSecrets] for more
// secrets than one. Deliveries are not deduplicated.
//
// The error matches [ErrSignature], [ErrStale] or [ErrTooLarge] if it is for that;
// of what is authentic, but no event, it is another.
func ParseHook(secret string, h http.Header, body []byte, opts ...WebhookOption) (Event, error) {
	cfg := webhookConfig{webhookLimits: webhookLimits{tolerance: defaultTolerance, maxBody: defaultMaxBody}}
	for _, opt := range opts {
		if err := opt.applyWebhook(&cfg); err != nil {
			return nil, err
		}
	}
	if len(cfg.secrets.url) > 0 || cfg.store != nil || cfg.logger != nil || cfg.handling != (handlingLimits{}) {
		return nil, errors.New("crisp: ParseHook: options can be WithTolerance, WithMaxBody and WithSigningSecrets")
	}
	if err := checkSecrets("ParseHook", []string{secret}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if int64(len(body)) > cfg.maxBody {
		return nil, bodyTooLarge(cfg.maxBody)
	}
	if err := verifySignature(append(cfg.secrets.signing, newSigningKey(secret)), h, body, cfg.tolerance); err != nil {
		return nil, err
	}
	body = slices.Clone(body) // the event's strings share its memory
	envelope, err := hookEnvelope(body)
	if err != nil {
		return nil, fmt.Errorf("crisp: ParseHook: %w", err)
	}
	return hookEvent(envelope.Event, envelope, body, h)
}

// hookEnvelope reads the body of a web hook, except for the event's payload.
func hookEnvelope(body []byte) (payload.Envelope, error) {
	envelope, err := payload.ParseEnvelope(body)
	switch {
	case err != nil:
		return envelope, fmt.Errorf("the body: %w", err)
	case envelope.Event == "":
		return envelope, errors.New("the body has no event")
	case envelope.Data == nil:
		return envelope, errors.New("the body has no data")
	}
	return envelope, nil
}

// hookEvent makes the event of a web hook. The event holds on to the body.
func hookEvent(name string, envelope payload.Envelope, body []byte, header http.Header) (Event, error) {
	received := envelope.Timestamp
	if received.IsZero() { // Crisp's hooks always have a timestamp
		received = time.Now()
	}
	ev, err := decodeEnvelope(name, envelope, received)
	if err != nil {
		return nil, err
	}
	about := struct { // one allocation for both
		delivery Delivery
		identity identity
	}{
		delivery: Delivery{
			Origin:  firstHeader(header, headerOrigin),
			Attempt: count(firstHeader(header, headerAttempt)),
			Limit:   count(firstHeader(header, headerLimit)),
		},
		identity: identity{body: body},
	}
	meta := ev.EventMeta()
	meta.Source, meta.Delivery, meta.identity = SourceWebhook, &about.delivery, &about.identity
	return ev, nil
}

// deliver runs the handlers of an event, unless an earlier delivery of it has
// succeeded.
func (h *Webhook) deliver(ctx context.Context, ev Event) error {
	if ev == nil {
		return nil
	}
	dispatch := func() error { return h.dispatcher.dispatch(context.WithoutCancel(ctx), ev) }
	if h.dedupe == nil {
		return dispatch()
	}
	return h.dedupe.once(ctx, ev.EventMeta().identity.get(), dispatch)
}

func (h *Webhook) warnSlowHandler(slow slowHandler) {
	h.logger.Warn(slowHandlerWarning, slog.String(keyThing, shown(slow.name)), slog.Duration("running", slow.ran))
}

// firstHeader is http.Header.Get of a canonical name.
func firstHeader(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// count returns the number in a header, 0 if it is no positive number.
func count(value string) int {
	if value == "" { // as in hooks of websites: saves Atoi's error
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// WebhookError is what the router's error handler hears of a web hook that was
// refused before any handler ran.
type WebhookError struct {
	StatusCode int   // what it was answered: see Webhook
	Err        error // why; matches ErrSignature, ErrStale or ErrTooLarge if it was for that
}

// Error says why; it quotes neither the request nor a secret.
func (e *WebhookError) Error() string {
	return fmt.Sprintf("crisp: web hook answered %d: %s", e.StatusCode, strings.TrimPrefix(e.Err.Error(), "crisp: "))
}

// Unwrap returns the reason.
func (e *WebhookError) Unwrap() error { return e.Err }

// logLevel is Warn: anybody on the Internet can cause such an error.
func (e *WebhookError) logLevel() slog.Level { return slog.LevelWarn }

// thing leaves out what differs between errors of the same kind: the age, the connection.
func (e *WebhookError) thing() string {
	switch {
	case errors.Is(e.Err, ErrStale):
		return ErrStale.Error()
	case errors.Is(e.Err, ErrSignature), errors.Is(e.Err, ErrTooLarge):
		return e.Error()
	}
	return fmt.Sprintf("web hook\x00%d", e.StatusCode)
}
