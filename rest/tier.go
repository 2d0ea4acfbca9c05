package rest

import (
	"fmt"
	"strings"

	"github.com/crisp-go/crisp"
)

// TierError is a call that was not made, because Crisp keeps its route for tokens of
// other tiers. It matches [crisp.ErrScope], as the refusal would have.
type TierError struct {
	Method string // HTTP method of the call
	Route  string // its path below the base URL, with names for identifiers
	Tier   crisp.Tier
	Tiers  []crisp.Tier // that may make it
}

// Error names the route, the token's tier and those that it would take.
func (e *TierError) Error() string {
	names := make([]string, len(e.Tiers))
	for i, t := range e.Tiers {
		names[i] = string(t)
	}
	return fmt.Sprintf("crisp: %s %s: needs a token of tier %s, not %s", e.Method, e.Route, strings.Join(names, " or "), e.Tier)
}

// Unwrap returns [crisp.ErrScope].
func (e *TierError) Unwrap() error { return crisp.ErrScope }

// tiers is the set of tiers whose tokens may make a call; anyTier where Crisp doesn't say.
type tiers uint8

const (
	user tiers = 1 << iota
	plugin
	anyTier tiers = 0
)

// has reports whether a token of a tier may make a call. It is true for the tokens of websites, for
// which Crisp documents nothing.
func (t tiers) has(tier crisp.Tier) bool {
	switch tier {
	case crisp.TierUser:
		return t == anyTier || t&user != 0
	case crisp.TierPlugin:
		return t == anyTier || t&plugin != 0
	default:
		return true
	}
}

func (t tiers) list() []crisp.Tier {
	var all []crisp.Tier
	if t&user != 0 {
		all = append(all, crisp.TierUser)
	}
	if t&plugin != 0 {
		all = append(all, crisp.TierPlugin)
	}
	return all
}
