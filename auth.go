package crisp

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// Tier is the kind of a token, as the X-Crisp-Tier header and the RTM
// authentication name it. It decides which events may be received: see
// [EventInfo.Tiers].
type Tier string

// The three tiers that Crisp knows.
const (
	TierPlugin  Tier = "plugin"  // a Marketplace plugin, over all websites that installed it
	TierUser    Tier = "user"    // an operator's account
	TierWebsite Tier = "website" // one website
)

// Token is a pair of credentials with its tier. Make one with [PluginToken],
// [UserToken] or [WebsiteToken]. White space around them, such as the line break at
// the end of a file, is left out by [New], which refuses what can't be right.
//
// The key never shows when a Token is printed or logged: String, GoString and
// LogValue redact it. No encoder takes a Token. But package fmt calls no methods of
// what is in an unexported field, and prints a Token there with its key: keep the
// [Client] in such a field, or a *Token, of which %v, %+v and %#v print the address.
type Token struct {
	Tier       Tier
	Identifier string // the user of HTTP Basic authentication
	Key        string // its password

	websiteID string // TierWebsite only: the website the token belongs to
}

// PluginToken is the token of a Marketplace plugin.
func PluginToken(identifier, key string) Token {
	return Token{Tier: TierPlugin, Identifier: identifier, Key: key}
}

// UserToken is the token of an operator's account.
func UserToken(identifier, key string) Token {
	return Token{Tier: TierUser, Identifier: identifier, Key: key}
}

// WebsiteToken is the token of one website, whose identifier (a UUID) the
// REST routes of this tier need.
func WebsiteToken(websiteID, identifier, key string) Token {
	return Token{Tier: TierWebsite, Identifier: identifier, Key: key, websiteID: websiteID}
}

// WebsiteID is the website that a website token belongs to, and empty for the
// other tiers.
func (t Token) WebsiteID() string { return t.websiteID }

// String shows the tier and the identifier, never the key.
func (t Token) String() string {
	return fmt.Sprintf("%s token %q (key redacted)", t.Tier, t.Identifier)
}

// GoString is what %#v prints: as String, without the key.
func (t Token) GoString() string {
	return fmt.Sprintf("crisp.Token{Tier:%q, Identifier:%q, Key:REDACTED}", t.Tier, t.Identifier)
}

// Format keeps the key out of every verb: without it, %d or %x would walk
// into the struct's fields.
func (t Token) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = fmt.Fprint(f, t.GoString())
		return
	}
	_, _ = fmt.Fprint(f, t.String())
}

// LogValue is what log/slog shows of a token: its tier and identifier.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("tier", string(t.Tier)),
		slog.String("identifier", t.Identifier),
	)
}

var errTokenMarshalled = errors.New("crisp: a Token is not marshalled, to keep its key out of files; store its parts yourself")

// MarshalJSON refuses, so that a key can't end in a file by accident. A struct that
// embeds a Token is refused as a whole, too: give the field a name.
func (t Token) MarshalJSON() ([]byte, error) { return nil, errTokenMarshalled }

// MarshalText refuses, too: encoding/xml and most encoders of YAML and TOML use it.
func (t Token) MarshalText() ([]byte, error) { return nil, errTokenMarshalled }

// GobEncode refuses, too.
func (t Token) GobEncode() ([]byte, error) { return nil, errTokenMarshalled }

// trimmed returns the token without the white space around its parts, which what was read from a
// file or pasted tends to have.
func (t Token) trimmed() Token {
	t.Identifier, t.Key, t.websiteID = strings.TrimSpace(t.Identifier), strings.TrimSpace(t.Key), strings.TrimSpace(t.websiteID)
	return t
}

// validate returns what is wrong with a token, before anything is sent with it.
func (t Token) validate() error {
	switch t.Tier {
	case TierPlugin, TierUser:
	case TierWebsite:
		if t.websiteID == "" {
			return errors.New("crisp: a website token needs its website's identifier: use WebsiteToken(websiteID, identifier, key)")
		}
	default:
		return fmt.Errorf("crisp: unknown tier %q: use PluginToken, UserToken or WebsiteToken", t.Tier)
	}
	if t.Identifier == "" {
		return errors.New("crisp: the token has no identifier")
	}
	if strings.Contains(t.Identifier, ":") {
		// RFC 7617: the first colon ends the user name.
		return errors.New("crisp: the token's identifier contains a colon, which HTTP Basic authentication can't carry")
	}
	if t.Key == "" {
		return errors.New("crisp: the token has no key")
	}
	return cmp.Or(
		checkCredential("identifier", t.Identifier),
		checkCredential("key", t.Key),
		t.checkOrder(),
	)
}

// checkCredential refuses characters that no credential has. Its errors don't quote the value.
func checkCredential(what, value string) error {
	strange := func(r rune) bool { return r <= ' ' || r > '~' }
	if at := strings.IndexFunc(value, strange); at >= 0 {
		return fmt.Errorf("crisp: the token's %s has a blank, a line break or another character at byte %d that no %s has: was more copied than the %s?",
			what, at, what, what)
	}
	if strings.ContainsAny(value, "\"'`") {
		return fmt.Errorf("crisp: the token's %s has a quotation mark in it: leave quotes out", what)
	}
	return nil
}

// checkOrder refuses parts that were given in the wrong order, if their form leaves no doubt:
// identifiers of websites are UUIDs, keys are long numbers in hex.
func (t Token) checkOrder() error {
	if t.Tier == TierWebsite {
		if err := t.checkWebsite(); err != nil {
			return err
		}
	}
	if isUUID(t.Key) && isKey(t.Identifier) {
		if t.Tier == TierWebsite {
			return errTokenOrder("key")
		}
		return errors.New("crisp: the token's identifier has the form of a key, and its key that of an identifier: are they swapped?")
	}
	return nil
}

func (t Token) checkWebsite() error {
	switch {
	case strings.ContainsFunc(t.websiteID, unicode.IsSpace):
		return errors.New("crisp: the website of a website token has white space in it: was more copied than its identifier?")
	case isSessionID(t.websiteID):
		return errors.New("crisp: the website of a website token is a session's identifier (session_…): it needs the website's")
	case isKey(t.websiteID):
		return errTokenOrder("website")
	case !isUUID(t.websiteID) && isUUID(t.Identifier):
		return errTokenOrder("identifier")
	case !isUUID(t.websiteID) && isUUID(t.Key):
		return errTokenOrder("key")
	case t.websiteID == t.Identifier:
		return errTokenOrder("identifier")
	}
	return nil
}

func errTokenOrder(misplaced string) error {
	return fmt.Errorf("crisp: the parts of a website token are not in order, to judge by the form of its %s: the order is WebsiteToken(websiteID, identifier, key)", misplaced)
}

// isUUID reports whether an identifier has the form of a UUID, 8-4-4-4-12 digits of
// hex.
func isUUID(id string) bool {
	groups := strings.Split(id, "-")
	if len(groups) != 5 {
		return false
	}
	for i, digits := range []int{8, 4, 4, 4, 12} {
		if len(groups[i]) != digits || !isHex(groups[i]) {
			return false
		}
	}
	return true
}

// isKey reports whether something is a long number in hex, as keys are.
func isKey(s string) bool { return len(s) >= 40 && isHex(s) }

func isHex(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) })
}

// hasSpace reports whether an identifier has white space around it, such as the line break of the
// file that it was read from.
func hasSpace(id string) bool { return strings.TrimSpace(id) != id }

// isSessionID reports whether an identifier can only be a session's.
func isSessionID(id string) bool { return strings.HasPrefix(id, "session_") }
