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
	"strings"
	"sync"
	"time"
)

// Headers by which a web hook is authentic, in net/http's canonical form.
const (
	headerTimestamp = "X-Crisp-Request-Timestamp"
	headerSignature = "X-Crisp-Signature"
)

// Headers by which an MCP request is authentic, besides headerSignature.
const (
	headerTimestampMCP = "X-Crisp-Timestamp"
	headerWebsiteMCP   = "X-Crisp-Website-Id"
)

// Verify checks that a plugin hook was signed with a secret, for programs that pass hooks on as
// they are; [ParseHook] also makes the event. It needs the headers with canonical names and the
// body as it came: any other spelling of the same JSON has another signature.
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

// VerifyMCP checks that a request to an MCP server of one's own, as Hugo sends
// them, was signed with the integration's secret ("mcp_sec_…"): that its
// X-Crisp-Signature is "sha256=" and the HMAC-SHA256 in hex of X-Crisp-Timestamp
// (seconds), X-Crisp-Website-Id and the body as it came, with a dot between each
// two. The headers need canonical names. X-Crisp-Session-Id is not signed: don't
// trust it.
//
// The errors are those of [Verify]. Crisp advises a tolerance of 5 minutes.
func VerifyMCP(secret string, h http.Header, body []byte, tolerance time.Duration) error {
	if secret == "" {
		return fmt.Errorf("%w: the secret is empty", ErrSignature)
	}
	claim, err := claimOfMCP(h)
	if err != nil {
		return err
	}
	if !claim.madeBy([]*signingKey{newSigningKey(secret)}, claim.opening, body, nil) {
		return errBodyChanged(toldLength(h), body)
	}
	return checkAge(time.Since(claim.at), tolerance)
}

// verifySignature checks that any of the keys signed a body.
func verifySignature(keys []*signingKey, h http.Header, body []byte, tolerance time.Duration) error {
	claim, err := claimOf(h)
	if err != nil {
		return err
	}
	if !claim.verifies(keys, body) {
		return errBodyChanged(toldLength(h), body)
	}
	return checkAge(time.Since(claim.at), tolerance)
}

// claim is what the headers of a request say about its signature. Whether that is true, verifies
// and madeBy find out.
type claim struct {
	signature [sha256.Size]byte
	at        time.Time // when the request was signed
	opening   []byte    // what comes before the body in the signed message
}

var errWrongSignature = fmt.Errorf("%w: wrong signature: is the secret the one that Crisp signs with, and did the body come unchanged?", ErrSignature)

// errBodyChanged returns the error for a wrong signature. If the body's length is not the one that
// the headers announced (told; -1 = none), that explains it.
func errBodyChanged(told int64, body []byte) error {
	switch {
	case len(body) == 0:
		return fmt.Errorf("%w: the body is empty: something has read it before, which must put it back as it came", ErrSignature)
	case told >= 0 && told != int64(len(body)):
		return fmt.Errorf("%w: wrong signature: the body has %d bytes, but Content-Length is %d: it must be as it came, neither decoded nor encoded anew",
			ErrSignature, len(body), told)
	}
	return errWrongSignature
}

// toldLength returns the Content-Length, -1 if there is none that makes sense.
func toldLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// claimOf reads the headers of a plugin hook.
func claimOf(h http.Header) (c claim, err error) {
	signature, err := oneHeader(h, headerSignature)
	if err != nil {
		return c, err
	}
	timestamp, err := oneHeader(h, headerTimestamp)
	if err != nil {
		return c, err
	}
	var ok bool
	if c.at, ok = parseTimestamp(timestamp); !ok {
		return c, fmt.Errorf("%w: %s is no UNIX time", ErrSignature, headerTimestamp)
	}
	if c.signature, ok = parseSignature(signature); !ok {
		return c, fmt.Errorf("%w: %s is no HMAC-SHA256 in hex", ErrSignature, headerSignature)
	}
	c.opening = []byte("[" + timestamp + ";")
	return c, nil
}

// claimOfMCP reads the headers of an MCP request.
func claimOfMCP(h http.Header) (c claim, err error) {
	signature, err := oneHeader(h, headerSignature)
	if err != nil {
		return c, err
	}
	timestamp, err := oneHeader(h, headerTimestampMCP)
	if err != nil {
		return c, err
	}
	websiteID, err := oneHeader(h, headerWebsiteMCP)
	if err != nil {
		return c, err
	}
	// With a dot in it, a part of the identifier could be passed off as the beginning of the
	// body.
	if websiteID == "" || strings.Contains(websiteID, ".") {
		return c, fmt.Errorf("%w: %s is no website's identifier", ErrSignature, headerWebsiteMCP)
	}
	var ok bool
	if c.at, ok = parseTimestamp(timestamp); !ok {
		return c, fmt.Errorf("%w: %s is no UNIX time", ErrSignature, headerTimestampMCP)
	}
	digits, prefixed := strings.CutPrefix(signature, "sha256=")
	if c.signature, ok = parseSignature(digits); !ok || !prefixed {
		return c, fmt.Errorf("%w: %s is not sha256= and an HMAC-SHA256 in hex", ErrSignature, headerSignature)
	}
	c.opening = []byte(timestamp + "." + websiteID + ".")
	return c, nil
}

// verifies reports whether any of the keys signed a hook's body. Crisp signs [timestamp;body];
// some of its documents leave out the brackets. A timestamp has only digits, so that neither form
// can pass for the other.
func (c *claim) verifies(keys []*signingKey, body []byte) bool {
	return c.madeBy(keys, c.opening, body, closing) || c.madeBy(keys, c.opening[1:], body, nil)
}

// oneHeader returns the only value of a header. Several are refused: another reader of the request
// might have picked another one.
func oneHeader(h http.Header, name string) (string, error) {
	values := h[name]
	switch len(values) {
	case 1:
		return values[0], nil
	case 0:
		return "", errNoHeader(h, name)
	}
	return "", errHeaders(len(values), name)
}

func errNoHeader(h http.Header, name string) error {
	if spelling := otherSpelling(h, name); spelling != "" {
		return fmt.Errorf("%w: the header is there, but as %q instead of %q: make names canonical, as http.Header.Set does",
			ErrSignature, spelling, name)
	}
	if name == headerSignature {
		return fmt.Errorf("%w: no header %s: is it from Crisp? Web hooks of websites are not signed: see WithURLSecrets", ErrSignature, name)
	}
	return errHeaders(0, name)
}

func errHeaders(n int, name string) error {
	return fmt.Errorf("%w: %d headers %s, want 1", ErrSignature, n, name)
}

// otherSpelling returns a name that differs from a header's only by case, as header maps have
// them that net/http has not made; empty if there is none.
func otherSpelling(h http.Header, name string) string {
	for key := range h {
		if key != name && strings.EqualFold(key, name) {
			return key
		}
	}
	return ""
}

// parseTimestamp reads a UNIX time in seconds or in milliseconds. The border is at 10^11: as
// seconds that is the year 5138, as milliseconds 1973.
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

// checkAge compares how long ago a request was signed with the tolerance.
func checkAge(age, tolerance time.Duration) error {
	switch {
	case tolerance == 0, age.Abs() <= tolerance:
		return nil
	case age < 0:
		return fmt.Errorf("%w of %s: it is %s ahead of this machine's clock, which may be slow", ErrStale, tolerance, age.Abs())
	default:
		return fmt.Errorf("%w of %s: it is %s old by this machine's clock, which may be fast", ErrStale, tolerance, age)
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

// madeBy reports whether any of the keys makes the claim's signature of a message. It compares with
// those of all keys, so that the time doesn't reveal which one it is.
func (c *claim) madeBy(keys []*signingKey, opening, body, closing []byte) bool {
	match := 0
	for _, key := range keys {
		signature := key.sign(opening, body, closing)
		match |= subtle.ConstantTimeCompare(signature[:], c.signature[:])
	}
	return match == 1
}

// closing is what comes behind the body in a hook's signed message.
var closing = []byte("]")

// signingKey makes signatures with a secret. It reuses its keyed hashes: making one costs as much
// as hashing a small body.
type signingKey struct{ hashes sync.Pool }

// keyedHash is an HMAC, with room for its result.
type keyedHash struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func newSigningKey(secret string) *signingKey {
	return &signingKey{sync.Pool{New: func() any { return &keyedHash{mac: hmac.New(sha256.New, []byte(secret))} }}}
}

func (k *signingKey) sign(opening, body, closing []byte) (signature [sha256.Size]byte) {
	h := k.hashes.Get().(*keyedHash)
	defer k.hashes.Put(h)
	h.mac.Reset()
	h.mac.Write(opening)
	h.mac.Write(body)
	h.mac.Write(closing)
	h.mac.Sum(h.sum[:0])
	return h.sum
}
