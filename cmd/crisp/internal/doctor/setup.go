package doctor

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/internal/nearest"
)

// setupChecks look at the configuration, and send nothing.
var setupChecks = []Check{
	{ID: "credentials", About: "where the key comes from, and whether token and base URL have a form that can be right", run: (*examination).checkCredentials},
	{ID: "events", About: "the wanted events: their names, and whether tokens of the tier get them, and web hooks bring them", run: (*examination).checkEvents},
	{ID: "proxy", About: "which proxy the environment names", run: (*examination).checkProxy},
}

func (e *examination) checkCredentials(context.Context) Finding {
	if e.CredentialsErr != nil {
		return wrong("%v", e.CredentialsErr).do("set CRISP_IDENTIFIER and CRISP_KEY, or run crisp login; " +
			"crisp serve prints those of its own")
	}
	given := e.Credentials
	opts := []crisp.Option{crisp.WithHTTPClient(e.httpClient())}
	if given.BaseURL != "" {
		opts = append(opts, crisp.WithBaseURL(given.BaseURL))
	}
	client, err := crisp.New(given.Token, opts...)
	if err != nil {
		return wrong("%v", sentence(err)).do("%s", e.adviceOnForm())
	}
	e.client = client
	return ok("%s token %s from %s", given.Token.Tier, short(given.Token.Identifier), given.From)
}

// adviceOnForm says what to change about malformed credentials.
func (e *examination) adviceOnForm() string {
	token := e.Credentials.Token
	switch {
	case token.Tier == crisp.TierWebsite && token.WebsiteID() == "":
		return "a token of tier website needs its website: set CRISP_WEBSITE_ID to the website's identifier (Crisp: Settings, Website Settings, Setup & Integrations)"
	case swapped(token):
		return "exchange the two: CRISP_IDENTIFIER is the UUID, CRISP_KEY the long number in hex"
	default:
		return "copy identifier and key again from where Crisp shows the token, each by itself"
	}
}

// swapped reports whether identifier and key seem to be exchanged.
func swapped(token crisp.Token) bool {
	return isUUID(token.Key) && !isUUID(token.Identifier)
}

// isUUID reports whether a string has the form of Crisp's identifiers.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}

func (e *examination) checkEvents(context.Context) Finding {
	if len(e.Events) == 0 {
		return skipped("no events were named").do("name those that your program wants: -e message:send -e 'session:*'")
	}
	for _, name := range e.Events {
		if !eventinfo.Known(name) {
			return wrong("no event is known as %s", name).do("%s", adviceOnName(name))
		}
	}
	tier := cmp.Or(e.Credentials.Token.Tier, crisp.TierPlugin)
	var forbidden, tiers, rtmOnly []string
	for _, info := range e.wanted() {
		if !slices.Contains(info.Tiers, tier) {
			forbidden = append(forbidden, info.Name)
			tiers = append(tiers, tierNames(info.Tiers)...)
		}
		if info.RTMOnly {
			rtmOnly = append(rtmOnly, info.Name)
		}
	}
	switch {
	case len(forbidden) > 0:
		slices.Sort(tiers)
		return wrong("tokens of tier %s don't get %s", tier, join(forbidden)).
			do("use a token of tier %s (CRISP_TIER says of which a token is), or do without", strings.Join(slices.Compact(tiers), " or "))
	case len(rtmOnly) > 0 && e.Hook != "":
		return warning("no web hook ever brings %s", join(rtmOnly)).do("receive them over the RTM API, as crisp listen does")
	default:
		return ok("tokens of tier %s get all %d wanted", tier, len(e.Events))
	}
}

func adviceOnName(name string) string {
	if names := nearest.To(name, eventinfo.Names()); len(names) > 0 {
		return "is " + names[0] + " meant? crisp events list has them all"
	}
	return "see crisp events list, which has them all"
}

// wanted returns the catalog's entries of the wanted events.
func (e *examination) wanted() []crisp.EventInfo {
	return slices.DeleteFunc(crisp.Events(), func(info crisp.EventInfo) bool { return !slices.Contains(e.Events, info.Name) })
}

func tierNames(tiers []crisp.Tier) []string {
	names := make([]string, len(tiers))
	for i, tier := range tiers {
		names[i] = string(tier)
	}
	return names
}

func (e *examination) checkProxy(context.Context) Finding {
	named := func(names ...string) string {
		for _, name := range names {
			if value := e.Getenv(name); value != "" {
				return value
			}
		}
		return ""
	}
	https, all := named("HTTPS_PROXY", "https_proxy"), named("ALL_PROXY", "all_proxy")
	switch {
	case https == "" && all != "":
		return warning("ALL_PROXY is set, which Go programs don't heed, and HTTPS_PROXY is not").
			do("set HTTPS_PROXY to the same, if Crisp is to be reached by the proxy")
	case https == "":
		return ok("none: HTTPS_PROXY is not set")
	}
	host := proxyHost(https)
	if host == "" {
		return wrong("HTTPS_PROXY is no URL").do("set it to one such as http://proxy.example.com:3128")
	}
	if exceptions := named("NO_PROXY", "no_proxy"); exceptions != "" {
		return ok("%s (HTTPS_PROXY), except for hosts in NO_PROXY", host)
	}
	return ok("%s (HTTPS_PROXY)", host)
}

// proxyHost returns a proxy's host, without the credentials that its URL may hold.
func proxyHost(proxy string) string {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	if err != nil {
		return ""
	}
	return u.Host
}

// sentence returns an error's text without the library's name in front.
func sentence(err error) string {
	return strings.TrimPrefix(err.Error(), "crisp: ")
}
