package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/crisp-go/crisp"
)

// restChecks cover the way to an answer of Crisp's REST API. All of them look at the
// same call.
var restChecks = []Check{
	{ID: "rest.reach", About: "the REST API can be reached", needs: []string{"credentials"}, run: (*examination).checkRESTReach},
	{ID: "rest.tls", About: "nobody in between ends the encryption", needs: []string{"rest.reach"}, run: (*examination).checkRESTTLS},
	{ID: "rest.answer", About: "the answer is Crisp's, not that of a gateway or proxy", needs: []string{"rest.tls"}, run: (*examination).checkRESTAnswer},
	{ID: "clock", About: "this machine's clock against Crisp's, within what signatures tolerate", needs: []string{"rest.answer"}, run: (*examination).checkClock},
	{ID: "token", About: "Crisp accepts the token, as one of this tier, and its quota is not used up", needs: []string{"rest.answer"}, run: (*examination).checkToken},
}

const defaultBaseURL = "https://api.crisp.chat/v1/"

// base returns the REST API's base URL, which crisp.New has validated.
func (e *examination) base() *url.URL {
	base, err := url.Parse(cmp.Or(e.Credentials.BaseURL, defaultBaseURL))
	if err != nil {
		return &url.URL{}
	}
	return base
}

func (e *examination) checkRESTReach(ctx context.Context) Finding {
	began := time.Now()
	e.endpoints, e.fetchErr = e.fetchEndpoints(ctx, e.client)
	host := e.base().Host
	if seen, answered := e.witness.last(host); answered {
		return ok("%s answered within %s", host, rounded(seen.came.Sub(began)))
	}
	if certificateError(e.fetchErr) != nil {
		return ok("%s can be connected to", host)
	}
	return e.unreachable(host, e.fetchErr)
}

func (e *examination) fetchEndpoints(ctx context.Context, client *crisp.Client) (*crisp.Endpoints, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limits.REST)
	defer cancel()
	return client.ConnectEndpoints(ctx)
}

// unreachable returns the finding for a host that did not answer.
func (e *examination) unreachable(host string, err error) Finding {
	var name *net.DNSError
	var refusal *proxyError
	var network *net.OpError
	var plain tls.RecordHeaderError
	f := wrong("%s can't be reached: %s", host, sentence(err))
	switch {
	case errors.As(err, &refusal) && refusal.status == http.StatusProxyAuthRequired:
		return f.do("the proxy wants other credentials: check user and password in HTTPS_PROXY")
	case errors.As(err, &refusal):
		return f.do("have the proxy let through CONNECT to %s, or go around it: NO_PROXY=%s", host, hostname(host))
	case errors.As(err, &name):
		return f.do("check the name of the host, and this machine's DNS (%s)", cmp.Or(name.Server, "the system's resolver"))
	case errors.As(err, &plain):
		return f.do("what answers at %s speaks no TLS: is it a proxy, or http:// written as https://?", host)
	case errors.Is(err, context.DeadlineExceeded):
		return f.do("nothing came back: a firewall may swallow connections to %s; programs behind one often need HTTPS_PROXY", host)
	case errors.As(err, &network) && network.Op == "proxyconnect":
		return f.do("the proxy itself can't be reached: check HTTPS_PROXY")
	default:
		return f.do("check that a firewall lets this machine connect to %s, and that the address is right", host)
	}
}

func hostname(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return host
	}
	return name
}

func (e *examination) checkRESTTLS(context.Context) Finding {
	base := e.base()
	if base.Scheme != "https" {
		return ok("none, on this machine")
	}
	if refused := certificateError(e.fetchErr); refused != nil {
		return refusedCertificate(base.Host, refused)
	}
	seen, _ := e.witness.last(base.Host)
	return judgeTLS(base.Host, seen.tls)
}

func (e *examination) checkRESTAnswer(context.Context) Finding {
	var refusal *crisp.APIError
	var answer *crisp.AnswerError
	host := e.base().Host
	switch {
	case errors.As(e.fetchErr, &refusal) && !refusal.FromCrisp():
		return wrong("%s", sentence(refusal)).do("%s", adviceOnGateway(host, refusal.StatusCode))
	case errors.As(e.fetchErr, &refusal) && refusal.StatusCode >= http.StatusInternalServerError:
		return wrong("%s", sentence(refusal)).do("this is for Crisp to mend: see https://status.crisp.chat, and try again later")
	case errors.As(e.fetchErr, &answer) && e.endpointIsNone(answer):
		return wrong("%s", sentence(answer)).do("%s", adviceOnGateway(host, answer.StatusCode))
	}
	seen, answered := e.witness.last(host)
	if !answered {
		return wrong("no answer came whole: %s", sentence(e.fetchErr)).do("try again: the connection to %s ended early", host)
	}
	return ok("Crisp's own (status %d)", seen.status)
}

// endpointIsNone reports whether an answer is not Crisp's at all, rather than one that
// names an unusable endpoint.
func (e *examination) endpointIsNone(answer *crisp.AnswerError) bool {
	return answer.StatusCode == http.StatusOK && !isEndpointError(answer)
}

func adviceOnGateway(host string, status int) string {
	if status == http.StatusProxyAuthRequired {
		return "the proxy wants other credentials: check user and password in HTTPS_PROXY"
	}
	return fmt.Sprintf("something between this machine and Crisp answers in its place (a gateway, a proxy, a captive portal): "+
		"have it let requests to %s through, or go around it (NO_PROXY=%s); check the base URL, too", host, hostname(host))
}

// noticeable is how far clocks may be apart before that is a warning.
const noticeable = 30 * time.Second

func (e *examination) checkClock(context.Context) Finding {
	seen, _ := e.witness.last(e.base().Host)
	date, err := http.ParseTime(seen.header.Get("Date"))
	if err != nil {
		return skipped("the answer has no date")
	}
	if kept := seen.header.Get("Bloom-Status"); kept == "HIT" || kept == "OFFLINE" || seen.header.Get("Age") != "" {
		return skipped("the answer was kept for a while, and so was its date")
	}
	// Date is cut to whole seconds, so on average Crisp's clock is half a second ahead of it.
	ahead := seen.sent.Add(seen.came.Sub(seen.sent) / 2).Sub(date.Add(time.Second / 2))
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	off := fmt.Sprintf("this machine's clock is %s %s Crisp's", rounded(ahead.Abs()), direction)
	switch {
	case ahead.Abs() > e.Limits.Tolerance:
		return wrong("%s, more than the %s that signatures of web hooks tolerate", off, e.Limits.Tolerance).
			do("set the clock by NTP (timedatectl set-ntp true); until then web hooks are refused as stale")
	case ahead.Abs() > noticeable:
		return warning("%s", off).do("set the clock by NTP: beyond %s web hooks are refused as stale", e.Limits.Tolerance)
	default:
		return ok("within %s of Crisp's", max(rounded(ahead.Abs()), time.Second))
	}
}

func (e *examination) checkToken(ctx context.Context) Finding {
	token := e.Credentials.Token
	switch err := e.fetchErr; {
	case errors.Is(err, crisp.ErrUnauthorized):
		return e.refusedToken(ctx)
	case errors.Is(err, crisp.ErrScope):
		return wrong("%s", sentence(err)).do("the token is not one of tier %s, or may not connect: check CRISP_TIER, and the token's scopes where Crisp shows it", token.Tier)
	case errors.Is(err, crisp.ErrQuota):
		return wrong("%s", sentence(err)).do("the quota is used up: wait until it is renewed (daily), or have it raised")
	case errors.Is(err, crisp.ErrRateLimited):
		return wrong("%s", sentence(err)).do("too many calls: wait, and let all programs with this token share one client")
	}
	var refusal *crisp.APIError
	if errors.As(e.fetchErr, &refusal) {
		return wrong("%s", sentence(refusal)).do("check the base URL, and CRISP_WEBSITE_ID for a token of tier website")
	}
	return ok("accepted as one of tier %s", token.Tier)
}

// refusedToken returns the finding for a refused token. It asks Crisp whether the token
// is of another tier.
func (e *examination) refusedToken(ctx context.Context) Finding {
	if tier, found := e.otherTier(ctx); found {
		return wrong("Crisp accepts the token as one of tier %s, not %s", tier, e.Credentials.Token.Tier).
			do("set CRISP_TIER=%s", tier)
	}
	f := wrong("%s", sentence(e.fetchErr))
	if swapped(e.Credentials.Token) {
		return f.do("identifier and key look swapped: CRISP_IDENTIFIER is the UUID, CRISP_KEY the long number in hex")
	}
	return f.do("copy identifier and key again (are they swapped, or of another token?), and check the tier: CRISP_TIER=plugin, user or website")
}

func (e *examination) otherTier(ctx context.Context) (crisp.Tier, bool) {
	given := e.Credentials.Token
	tokens := []crisp.Token{
		crisp.PluginToken(given.Identifier, given.Key),
		crisp.UserToken(given.Identifier, given.Key),
	}
	if website := e.website(); website != "" {
		tokens = append(tokens, crisp.WebsiteToken(website, given.Identifier, given.Key))
	}
	for _, token := range tokens {
		if token.Tier == given.Tier {
			continue
		}
		client, err := crisp.New(token, crisp.WithHTTPClient(e.httpClient()), crisp.WithBaseURL(e.base().String()))
		if err != nil {
			continue
		}
		if _, err := e.fetchEndpoints(ctx, client); err == nil {
			return token.Tier, true
		}
	}
	return "", false
}

// website returns a website to try things on; empty if none is known.
func (e *examination) website() string {
	for _, ids := range [][]string{e.Websites, {e.Credentials.WebsiteID}, {e.Credentials.Token.WebsiteID()}, e.installed} {
		if len(ids) > 0 && ids[0] != "" {
			return ids[0]
		}
	}
	return ""
}
