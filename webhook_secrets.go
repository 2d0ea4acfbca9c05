package crisp

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// secrets are what the web hooks of a [Webhook] may be authentic by.
type secrets struct {
	signing  []*signingKey
	urlParam string
	url      [][sha256.Size]byte // hashed, so that comparing takes the same time for any length
}

func checkSecrets(option string, secrets []string) error {
	if len(secrets) == 0 {
		return fmt.Errorf("crisp: %s needs a secret", option)
	}
	for _, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return fmt.Errorf("crisp: %s was given an empty secret, which would verify nothing", option)
		}
	}
	return nil
}

func (s *secrets) setSigning(signing []string) {
	s.signing = nil
	for _, secret := range signing {
		s.signing = append(s.signing, newSigningKey(secret))
	}
}

func (s *secrets) setURL(param string, secrets []string) {
	s.urlParam, s.url = param, nil
	for _, secret := range secrets {
		s.url = append(s.url, sha256.Sum256([]byte(secret)))
	}
}

// verify tells whether a request is authentic. A signature that is there must
// be right: a secret in the URL is no excuse for a wrong one.
func (s *secrets) verify(r *http.Request, body []byte, tolerance time.Duration) error {
	_, signed := r.Header[headerSignature]
	if len(s.signing) > 0 && (signed || len(s.url) == 0) {
		return verifySignature(s.signing, r.Header, body, tolerance)
	}
	return s.verifyURL(r.URL)
}

func (s *secrets) verifyURL(u *url.URL) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil { // it may quote the query
		return fmt.Errorf("%w: the query of the URL is malformed", ErrSignature)
	}
	values := query[s.urlParam]
	if len(values) != 1 {
		return fmt.Errorf("%w: %d query parameters %q, want 1", ErrSignature, len(values), s.urlParam)
	}
	given := sha256.Sum256([]byte(values[0]))
	match := 0
	for i := range s.url { // all of them, lest the time tell which one it is
		match |= subtle.ConstantTimeCompare(s.url[i][:], given[:])
	}
	if match == 0 {
		return fmt.Errorf("%w: wrong secret in the query parameter %q", ErrSignature, s.urlParam)
	}
	return nil
}
