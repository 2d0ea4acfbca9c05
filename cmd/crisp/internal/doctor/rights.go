package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
)

// rightsChecks find out what the token may do.
var rightsChecks = []Check{
	{ID: "website", About: "the wanted websites are open to the token; for a plugin, that it is installed at all", needs: []string{"token"}, run: (*examination).checkWebsite},
	{ID: "scopes", About: "the token has the scopes of the wanted events, as far as reading tells", needs: []string{"token"}, run: (*examination).checkScopes},
}

// maxListed is how many of a plugin's websites are listed at most.
const maxListed = 1000

func (e *examination) checkWebsite(ctx context.Context) Finding {
	for _, id := range e.Websites {
		if strings.HasPrefix(id, "session_") {
			return wrong("%s is a conversation's identifier", short(id)).do("name the website's: a UUID, which every event has as website_id")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*e.Limits.REST)
	defer cancel()
	if e.Credentials.Token.Tier == crisp.TierPlugin {
		return e.checkInstalled(ctx)
	}
	wanted := e.Websites
	if own := e.Credentials.Token.WebsiteID(); own != "" {
		wanted = append(slices.Clip(wanted), own)
	}
	for _, id := range wanted {
		if own := e.Credentials.Token.WebsiteID(); own != "" && id != own {
			return wrong("%s is not the token's website, which is %s", short(id), short(own)).do("use the token of that website, or one of a plugin that it has installed")
		}
		var refusal *crisp.APIError
		err := e.client.Do(ctx, http.MethodGet, "website/"+url.PathEscape(id), nil, nil)
		if errors.As(err, &refusal) && refusal.FromCrisp() && refusal.Reason != "not_found" && (refusal.StatusCode == http.StatusNotFound || errors.Is(err, crisp.ErrUnauthorized)) {
			return wrong("%s: %s", short(id), sentence(err)).do("check CRISP_WEBSITE_ID and --website, and that this account is among the website's operators")
		}
	}
	if len(wanted) == 0 {
		return ok("all that the account sees: none was named")
	}
	return ok("open to the token: %s", join(shortened(wanted)))
}

func (e *examination) checkInstalled(ctx context.Context) Finding {
	for website, err := range e.client.Websites(ctx) {
		if errors.Is(err, crisp.ErrScope) {
			return skipped("the plugin's websites can't be listed: %s", sentence(err))
		}
		if err != nil {
			return warning("the plugin's websites can't be listed: %s", sentence(err)).do("try again later")
		}
		if e.installed = append(e.installed, website.WebsiteID); len(e.installed) == maxListed {
			break
		}
	}
	wanted := slices.Clone(e.Websites)
	if own := e.Credentials.WebsiteID; own != "" {
		wanted = append(wanted, own)
	}
	if len(e.installed) == 0 {
		return warning("no website has installed the plugin: no events come").
			do("install it on a website of yours (Crisp Marketplace: the plugin, Test or Install); a development token sees one trusted website")
	}
	missing := slices.DeleteFunc(wanted, func(id string) bool { return slices.Contains(e.installed, id) })
	if len(missing) > 0 && len(e.installed) < maxListed {
		return wrong("the plugin is not installed on %s", join(shortened(missing))).
			do("check the identifier of the website (CRISP_WEBSITE_ID, --website), and install the plugin there")
	}
	if len(e.installed) == 1 {
		return ok("1 has installed the plugin: %s", short(e.installed[0]))
	}
	return ok("%d have installed the plugin", len(e.installed))
}

func shortened(ids []string) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = short(id)
	}
	return all
}

// probes are read-only routes, by the scope that they need.
var probes = map[string]string{
	"website:conversation:sessions read":     "website/{website}/conversations/1",
	"website:conversation:messages read":     "website/{website}/conversation/{session}/messages",
	"website:conversation:routing read":      "website/{website}/conversation/{session}/routing",
	"website:conversation:states read":       "website/{website}/conversation/{session}/state",
	"website:conversation:pages read":        "website/{website}/conversation/{session}/pages/1",
	"website:conversation:events read":       "website/{website}/conversation/{session}/events/1",
	"website:conversation:participants read": "website/{website}/conversation/{session}/participants",
	"website:conversation:actions read":      "website/{website}/conversation/{session}/block",
	"website:people:profiles read":           "website/{website}/people/profiles/1",
	"website:people:subscriptions read":      "website/{website}/people/subscription/nobody@example.com",
	"website:visitors read":                  "website/{website}/visitors/count",
	"website:operators read":                 "website/{website}/operators/list",
	"website:availability read":              "website/{website}/availability/status",
	"plan:subscription read":                 "plans/subscription/{website}",
}

// nobodysSession identifies no conversation. Crisp still answers whether the token may
// read it.
const nobodysSession = "session_00000000-0000-4000-8000-000000000000"

func (e *examination) checkScopes(ctx context.Context) Finding {
	scopes := e.neededScopes()
	website := e.website()
	switch {
	case len(e.Events) == 0:
		return skipped("no events were named")
	case e.Credentials.Token.Tier != crisp.TierPlugin:
		return ok("tokens of tier %s need none", e.Credentials.Token.Tier)
	case len(scopes) == 0:
		return ok("the wanted events need none")
	case website == "":
		return skipped("no website is known to try them on; needed are %s", join(scopes))
	}
	ctx, cancel := context.WithTimeout(ctx, 2*e.Limits.REST)
	defer cancel()
	session := e.someSession(ctx, website)
	var missing, untried []string
	tried := 0
	for _, scope := range scopes {
		route, readable := probes[scope]
		if !readable {
			untried = append(untried, scope)
			continue
		}
		tried++
		path := strings.NewReplacer("{website}", url.PathEscape(website), "{session}", url.PathEscape(session)).Replace(route)
		if err := e.client.Do(ctx, http.MethodGet, path, nil, nil); errors.Is(err, crisp.ErrScope) {
			missing = append(missing, scope)
		}
	}
	switch {
	case len(missing) > 0:
		return wrong("missing: %s", join(missing)).
			do("add the scope to the token (Crisp Marketplace: the plugin, Tokens), have the new scopes approved, and the website accept them")
	case tried == 0:
		return skipped("can't be told from here; needed are %s", join(untried))
	case len(untried) > 0:
		return ok("%d are not refused; can't be told: %s", tried, join(untried))
	default:
		return ok("all %d are not refused", tried)
	}
}

// neededScopes returns the scopes of the wanted events, sorted.
func (e *examination) neededScopes() []string {
	var scopes []string
	for _, info := range e.wanted() {
		if info.Scope != "" {
			scopes = append(scopes, info.Scope)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// someSession returns the identifier of a conversation, or nobodysSession.
func (e *examination) someSession(ctx context.Context, website string) string {
	var conversations []struct {
		SessionID string `json:"session_id"`
	}
	var data json.RawMessage
	err := e.client.Do(ctx, http.MethodGet, "website/"+url.PathEscape(website)+"/conversations/1", nil, &data)
	if err != nil || json.Unmarshal(data, &conversations) != nil || len(conversations) == 0 {
		return nobodysSession
	}
	return cmp.Or(conversations[0].SessionID, nobodysSession)
}
