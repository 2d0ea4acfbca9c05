package crisp

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Headers by which a web hook is authentic, in net/http's canonical form.
const (
	headerTimestamp = "X-Crisp-Request-Timestamp"
	headerSignature = "X-Crisp-Signature"
)

// Verify checks that a plugin hook was signed with a secret, for programs
// that don't serve hooks by a [Webhook]: cloud functions, queues. It needs the
// headers with canonical names and the body as it came: any other spelling of
// the same JSON has another signature.
//
// The error matches [ErrSignature] if the signature is missing or wrong or the
// secret is empty, and [ErrStale] if it is right, but its time is further from
// now than the tolerance, both ways; a tolerance of 0 accepts any time.
func Verify(secret string, h http.Header, body []byte, tolerance time.Duration) error {
	if secret == "" {
		return fmt.Errorf("%w: the signing secret is empty", ErrSignature)
	}
	return verifySignature([]*signingKey{newSigningKey(secret)}, h, body, tolerance)
}

// Sign makes the headers by which a plugin hook with that body is authentic:
// X-Crisp-Request-Timestamp, in milliseconds, and X-Crisp-Signature. It is for
// tests and for relays. [Verify] accepts nothing that an empty secret signed.
func Sign(secret string, at time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	signature := newSigningKey(secret).sign([]byte("["+timestamp+";"), body, closing)
	return http.Header{
		headerTimestamp: {timestamp},
		headerSignature: {hex.EncodeToString(signature[:])},
	}
}

// verifySignature checks that any of the keys signed a body.
func verifySignature(keys []*signingKey, h http.Header, body []byte, tolerance time.Duration) error {
	signature, err := oneHeader(h, headerSignature)
	if err != nil {
		return err
	}
	timestamp, err := oneHeader(h, headerTimestamp)
	if err != nil {
		return err
	}
	at, ok := parseTimestamp(timestamp)
	if !ok {
		return fmt.Errorf("%w: %s is no UNIX time", ErrSignature, headerTimestamp)
	}
	given, ok := parseSignature(signature)
	if !ok {
		return fmt.Errorf("%w: %s is no HMAC-SHA256 in hex", ErrSignature, headerSignature)
	}
	// Crisp signs [timestamp;body]; some of its documents leave out the
	// brackets. A timestamp is all digits: neither form can pass for the other.
	opening := []byte("[" + timestamp + ";")
	if !anyMatches(keys, given, opening, body, closing) && !anyMatches(keys, given, opening[1:], body, nil) {
		return fmt.Errorf("%w: wrong signature", ErrSignature)
	}
	return checkAge(time.Since(at), tolerance)
}

// oneHeader refuses several values: another reader of the request might have
// picked another one.
func oneHeader(h http.Header, name string) (string, error) {
	values := h[name]
	if len(values) != 1 {
		return "", fmt.Errorf("%w: %d headers %s, want 1", ErrSignature, len(values), name)
	}
	return values[0], nil
}

// parseTimestamp reads a UNIX time in seconds or in milliseconds: 100 thousand
// million seconds is the year 5138, as many milliseconds are the year 1973.
func parseTimestamp(s string) (time.Time, bool) {
	const seconds = 100_000_000_000
	if len(s) > 16 {
		return time.Time{}, false
	}
	n, err := strconv.ParseUint(s, 10, 63)
	switch {
	case err != nil:
		return time.Time{}, false
	case n < seconds:
		return time.Unix(int64(n), 0), true
	default:
		return time.UnixMilli(int64(n)), true
	}
}

// checkAge compares how long ago a web hook was signed with the tolerance. It
// knows the signature to be right, so that it may tell more.
func checkAge(age, tolerance time.Duration) error {
	switch {
	case tolerance == 0, age.Abs() <= tolerance:
		return nil
	case age < 0:
		return fmt.Errorf("%w of %s: it is %s ahead of this machine's clock", ErrStale, tolerance, age.Abs())
	default:
		return fmt.Errorf("%w of %s: it is %s old", ErrStale, tolerance, age)
	}
}

// parseSignature reads 64 digits of hex.
func parseSignature(s string) (signature [sha256.Size]byte, ok bool) {
	if len(s) != hex.EncodedLen(len(signature)) {
		return signature, false
	}
	_, err := hex.Decode(signature[:], []byte(s))
	return signature, err == nil
}

// anyMatches compares with the signatures of all keys, lest the time tell
// which of them it is.
func anyMatches(keys []*signingKey, given [sha256.Size]byte, opening, body, closing []byte) bool {
	match := 0
	for _, key := range keys {
		signature := key.sign(opening, body, closing)
		match |= subtle.ConstantTimeCompare(signature[:], given[:])
	}
	return match == 1
}

// closing is what ends the message that a signature is of.
var closing = []byte("]")

// signingKey makes signatures with a secret. It keeps the keyed hashes for
// reuse: making one costs as much as hashing a small body.
type signingKey struct{ hashes sync.Pool }

func newSigningKey(secret string) *signingKey {
	return &signingKey{sync.Pool{New: func() any { return hmac.New(sha256.New, []byte(secret)) }}}
}

func (k *signingKey) sign(opening, body, closing []byte) (signature [sha256.Size]byte) {
	h := k.hashes.Get().(hash.Hash)
	defer k.hashes.Put(h)
	h.Reset()
	h.Write(opening)
	h.Write(body)
	h.Write(closing)
	h.Sum(signature[:0])
	return signature
}
