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

// secrets are the signing secrets and the URL secrets of a [Webhook].
type secrets struct {
	signing  []*signingKey
	urlParam string              // the query parameter that has the URL secret
	url      [][sha256.Size]byte // hashed, so that comparing takes the same time for any length
	urlPlus  [][sha256.Size]byte // the same with pluses for blanks: only to explain an error, never to accept
}

// checkSecrets returns what is wrong with the secrets given to an option.

func checkSecrets(option string, secrets []string) error {
	if len(secrets) == 0 {
		return fmt.Errorf("crisp: %s: needs a secret", option)
	}
	for _, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return fmt.Errorf("crisp: %s: an empty secret would verify nothing: needs a secret", option)
		}
		if strings.TrimSpace(secret) != secret {
			return fmt.Errorf("crisp: %s: a secret has white space around it, which no hook is signed with: was it read from a file with its line break?", option)
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
	s.urlParam, s.url, s.urlPlus = param, nil, nil
	for _, secret := range secrets {
		s.url = append(s.url, sha256.Sum256([]byte(secret)))
		s.urlPlus = append(s.urlPlus, sha256.Sum256([]byte(blanksToPluses(secret))))
	}
}

// check checks as much of a request as is possible without its body. If signed, the body has yet
// to be verified by the claim. If there is a signature, it must be right: a secret in the URL
// does not make up for a wrong one.
func (s *secrets) check(r *http.Request, tolerance time.Duration) (c claim, signed bool, err error) {
	if !s.mustBeSigned(r.Header) {
		return c, false, s.verifyURL(r.URL)
	}
	if c, err = claimOf(r.Header); err != nil {
		return c, true, err
	}
	return c, true, checkAge(time.Since(c.at), tolerance)
}

// mustBeSigned reports whether the signature of a request decides, not its URL.
func (s *secrets) mustBeSigned(h http.Header) bool {
	if len(s.signing) == 0 || len(s.url) == 0 {
		return len(s.signing) > 0
	}
	_, signed := h[headerSignature]
	return signed
}

func (s *secrets) verifyURL(u *url.URL) error {
	values, ok := queryValues(u.RawQuery, s.urlParam)
	hint := ""
	if strings.Contains(u.RawQuery, ";") {
		hint = " (parameters are separated by &, not by semicolons)"
	}
	switch {
	case !ok:
		return fmt.Errorf("%w: the query of the URL is malformed", ErrSignature)
	case len(values) != 1:
		return fmt.Errorf("%w: %d query parameters %q, want 1%s", ErrSignature, len(values), s.urlParam, hint)
	case !s.matchURL(values[0]) && s.matchURLButForPluses(values[0]):
		return fmt.Errorf("%w: wrong secret in the query parameter %q, but only by blanks for pluses, or the reverse: write a plus in a URL as %%2B",
			ErrSignature, s.urlParam)
	case !s.matchURL(values[0]):
		return fmt.Errorf("%w: wrong secret in the query parameter %q%s", ErrSignature, s.urlParam, hint)
	}
	return nil
}

// matchURL reports whether an escaped value in a URL is a secret. A plus may stand for itself or for
// a space, since people write secrets into URLs without escaping them.
func (s *secrets) matchURL(value string) bool {
	match := 0
	for _, unescape := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
		text, err := unescape(value)
		if err != nil {
			return false
		}
		match |= matchAny(s.url, text)
	}
	return match != 0
}

// matchURLButForPluses reports whether a value would be a secret if blanks and pluses were the
// same: something on the way may have replaced one by the other.
func (s *secrets) matchURLButForPluses(value string) bool {
	text, err := url.QueryUnescape(value)
	return err == nil && matchAny(s.urlPlus, blanksToPluses(text)) != 0
}

func blanksToPluses(s string) string { return strings.ReplaceAll(s, " ", "+") }

// matchAny returns 1 if a text has one of the hashes, else 0. It compares with all of them, so that
// the time doesn't reveal which one it is.
func matchAny(hashes [][sha256.Size]byte, text string) (match int) {
	given := sha256.Sum256([]byte(text))
	for i := range hashes {
		match |= subtle.ConstantTimeCompare(hashes[i][:], given[:])
	}
	return match
}

// queryValues returns the values of a parameter, still escaped; ok is false if anything in the
// query has an invalid escape. Unlike for [url.ParseQuery], whose errors may quote a secret, a
// semicolon is part of a value.
func queryValues(query, param string) (values []string, ok bool) {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			return nil, false
		}
		if _, err := url.QueryUnescape(value); err != nil {
			return nil, false
		}
		if name == param && pair != "" {
			values = append(values, value)
		}
	}
	return values, true
}
