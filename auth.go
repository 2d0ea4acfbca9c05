package crisp

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
// [UserToken] or [WebsiteToken].
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

// MarshalJSON refuses, so that a key can't end in a file by accident.
func (t Token) MarshalJSON() ([]byte, error) { return nil, errTokenMarshalled }

// MarshalText refuses, too: encoding/xml and most encoders of YAML and TOML use it.
func (t Token) MarshalText() ([]byte, error) { return nil, errTokenMarshalled }

// GobEncode refuses, too.
func (t Token) GobEncode() ([]byte, error) { return nil, errTokenMarshalled }

// validate returns what a token lacks, before anything is sent with it.
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
	return nil
}
