package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Signing is how a target recognises an authentic web hook: by a signature, as for
// plugins, or by a secret in the URL, as for websites.
type Signing struct {
	Secret    string // to sign with; empty for no signature
	URLParam  string // the query parameter that holds URLSecret; empty for none
	URLSecret string
}

// hide replaces secrets in text from a target.
func (s Signing) hide(text string) string {
	for _, secret := range []string{s.Secret, s.URLSecret, url.QueryEscape(s.URLSecret)} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}

// HTTP posts web hooks to a URL.
type HTTP struct {
	client  *http.Client
	timeout time.Duration
	url     string
	name    string
	signing func() Signing // a function, so that fmt can't print the secrets
}

// userAgent is the User-Agent of Crisp's web hooks.
const userAgent = "Crisp-HooksDeliver 1.0 (+https://crisp.chat)"

// NewHTTP makes a sender to a URL; its query is kept. Several senders can share a
// transport; see [NewTransport].
func NewHTTP(target string, signing Signing, timeout time.Duration, transport http.RoundTripper) (*HTTP, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("a target is a URL that begins with http:// or https://")
	}
	if signing.URLParam != "" {
		if u.Query().Has(signing.URLParam) {
			return nil, fmt.Errorf("the URL has a parameter %q already, which the secret was to be in", signing.URLParam)
		}
		pair := url.QueryEscape(signing.URLParam) + "=" + url.QueryEscape(signing.URLSecret)
		u.RawQuery = strings.Join(slices.DeleteFunc([]string{u.RawQuery, pair}, func(s string) bool { return s == "" }), "&")
	}
	return &HTTP{
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: timeout,
		url:     u.String(),
		name:    withoutSecrets(u),
		signing: func() Signing { return signing },
	}, nil
}

// NewTransport returns a transport that keeps a connection per target open for each
// conversation delivered at the same time.
func NewTransport(concurrency int) *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = concurrency
	transport.MaxIdleConns = 0
	return transport
}

// withoutSecrets returns a URL without its user and its query's values.
func withoutSecrets(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	text := shown.String()
	var names []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, hasValue := strings.Cut(pair, "="); hasValue {
			names = append(names, name+"=…")
		}
	}
	if len(names) == 0 {
		return text
	}
	return text + "?" + strings.Join(names, "&")
}

// Name is the URL without its user and its query's values.
func (h *HTTP) Name() string { return h.name }

// Send posts a body. Any status but 2xx counts as refused; redirects are not followed.
func (h *HTTP) Send(ctx context.Context, a Attempt) Answer {
	ctx, cancel := context.WithTimeoutCause(ctx, h.timeout, fmt.Errorf("no answer within %s", h.timeout))
	defer cancel()
	began := time.Now()
	answer := h.post(ctx, h.request(a))
	answer.Took = time.Since(began)
	if answer.Err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		answer.Err = context.Cause(ctx)
	}
	return answer
}

func (h *HTTP) post(ctx context.Context, r *http.Request) Answer {
	response, err := h.client.Do(r.WithContext(ctx))
	if err != nil {
		return Answer{Err: withoutURL(err)}
	}
	defer response.Body.Close() //nolint:errcheck // nothing depends on it
	const most, shown = 64 << 10, 200
	body, err := io.ReadAll(io.LimitReader(response.Body, most)) // reading to the end lets the connection be reused
	answer := Answer{Status: response.StatusCode, Accepted: response.StatusCode/100 == 2}
	switch {
	case answer.Accepted: // whatever happened to the body
		return answer
	case err != nil:
		answer.Err = withoutURL(err)
	case response.StatusCode/100 == 3:
		answer.Err = errors.New("a redirect, which is not followed")
	}
	answer.Excerpt = record.Excerpt(h.signing().hide(strings.TrimSpace(string(body))), shown)
	return answer
}

// withoutURL takes the URL, which may hold a secret, out of an error of net/http.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// request makes the request that Crisp would make.
func (h *HTTP) request(a Attempt) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, h.url, bytes.NewReader(a.Body)) // can't fail: NewHTTP parsed the URL
	r.Header = h.Header(a)
	return r
}

// Header returns the headers of an attempt.
func (h *HTTP) Header(a Attempt) http.Header {
	at := a.SignedAt
	if at.IsZero() {
		at = time.Now()
	}
	signing := h.signing()
	header := crisp.Sign(signing.Secret, at, a.Body)
	origin := "plugin"
	if signing.Secret == "" {
		origin = "website"
		header.Del("X-Crisp-Signature")
	}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", userAgent)
	header.Set("X-Crisp-Hook-Origin", origin)
	header.Set("X-Delivery-Attempt-Count", strconv.Itoa(a.Number))
	header.Set("X-Delivery-Attempt-Limit", strconv.Itoa(a.Limit))
	return header
}
