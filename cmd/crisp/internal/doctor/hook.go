package doctor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// hookChecks deliver web hooks to a program as Crisp does: good ones, for which its
// handlers run, and bad ones, which it must refuse.
var hookChecks = []Check{
	{ID: "hook.secret", About: "there is a secret to sign web hooks with, or one in the URL", run: (*examination).checkHookSecret},
	{ID: "hook.reach", About: "something answers at the hook's URL", run: (*examination).checkHookReach},
	{ID: "hook.unsigned", About: "a delivery without a signature is refused", needs: []string{"hook.reach"}, run: (*examination).checkHookUnsigned},
	{ID: "hook.forged", About: "a delivery with a wrong signature is refused", needs: []string{"hook.reach"}, run: (*examination).checkHookForged},
	{ID: "hook.stale", About: "a delivery that was signed an hour ago is refused", needs: []string{"hook.secret", "hook.reach"}, run: (*examination).checkHookStale},
	{ID: "hook.signed", About: "a good delivery is accepted", needs: []string{"hook.secret", "hook.reach"}, run: (*examination).checkHookSigned},
	{ID: "hook.bytes", About: "the signature is verified over the bytes as they came, not over JSON encoded anew", needs: []string{"hook.secret", "hook.reach"}, run: (*examination).checkHookBytes},
	{ID: "hook.time", About: "a good delivery is answered in time", needs: []string{"hook.secret", "hook.reach"}, run: (*examination).checkHookTime},
	{ID: "hook.repeated", About: "a repeated delivery is accepted, but does not run the handlers again", needs: []string{"hook.signed"}, run: (*examination).checkHookRepeated},
}

// hook is the web hook that is tried, and how its first good delivery was answered.
type hook struct {
	bodies  bodies
	refused hookAnswer // to the delivery without a signature
	first   hookAnswer // to the first good delivery
}

// hookAnswer is the answer to a delivery, or why there was none.
type hookAnswer struct {
	status int // 0 without an answer
	took   time.Duration
	err    error // why there was no answer
}

func (a hookAnswer) accepted() bool { return a.status >= 200 && a.status < 300 }

func (a hookAnswer) refused() bool {
	return a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
}

func (a hookAnswer) late() bool { return errors.Is(a.err, context.DeadlineExceeded) }

func (a hookAnswer) String() string {
	if a.err != nil {
		return "no answer: " + a.err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)))
}

// delivery says what to deliver, and how.
type delivery struct {
	body    []byte
	at      time.Time // of the signature; zero for now
	secret  string    // to sign with; empty for no signature
	attempt int       // 0 for the first
	url     string    // empty for the hook's URL
}

// deliver makes a delivery.
func (e *examination) deliver(ctx context.Context, d delivery) hookAnswer {
	ctx, cancel := context.WithTimeout(ctx, e.Limits.HookAnswer)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, cmp.Or(d.url, e.Hook), bytes.NewReader(d.body))
	if err != nil {
		return hookAnswer{err: errors.New("the URL can't be used")} // the error would quote it, with a secret perhaps
	}
	if d.at.IsZero() {
		d.at = time.Now()
	}
	request.Header.Set("X-Crisp-Request-Timestamp", strconv.FormatInt(d.at.UnixMilli(), 10))
	origin := "website"
	if d.secret != "" {
		origin = "plugin"
		for name, values := range crisp.Sign(d.secret, d.at, d.body) {
			request.Header[name] = values
		}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Crisp-HooksDeliver 1.0 (+https://crisp.chat)")
	request.Header.Set("X-Crisp-Hook-Origin", origin)
	request.Header.Set("X-Delivery-Attempt-Count", strconv.Itoa(max(d.attempt, 1)))
	request.Header.Set("X-Delivery-Attempt-Limit", "5")

	began := time.Now()
	answer, err := e.httpClient().Do(request)
	if err != nil {
		return hookAnswer{took: time.Since(began), err: withoutURL(err)}
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return hookAnswer{took: time.Since(began), err: err}
	}
	return hookAnswer{status: answer.StatusCode, took: time.Since(began)}
}

// withoutURL takes the URL, which may hold a secret, out of an error of net/http.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// good returns a delivery of a body that the hook has to accept.
func (e *examination) good(body []byte) delivery {
	return delivery{body: body, secret: e.Credentials.SigningSecret}
}

// byURL reports whether the hook is a website's. Such hooks have a secret in the URL
// instead of a signature.
func (e *examination) byURL() bool {
	u, err := url.Parse(e.Hook)
	return e.Credentials.SigningSecret == "" && err == nil && u.RawQuery != ""
}

func (e *examination) checkHookSecret(context.Context) Finding {
	switch {
	case e.Credentials.SigningSecret != "":
		return ok("deliveries are signed with the secret from %s", cmp.Or(e.Credentials.From, "the environment"))
	case e.byURL():
		return ok("none, as of a website's hook: it is in the URL's query")
	default:
		return wrong("there is no signing secret").
			do("set CRISP_SIGNING_SECRET to the one that the program verifies by; a website's hook has one in its URL instead (--url 'http://…?key=…')")
	}
}

// checkHookReach makes a delivery without any secret: whatever listens at the URL should
// answer it.
func (e *examination) checkHookReach(ctx context.Context) Finding {
	var err error
	e.hook = new(hook)
	if e.hook.bodies, err = newBodies(e.hookEvent(), e.website()); err != nil {
		return wrong("%v", err).do("name another event: -e message:send")
	}
	e.hook.refused = e.deliver(ctx, delivery{body: e.hook.bodies.next(), url: e.withoutQuery()})
	host := hostOf(e.Hook)
	switch answer := e.hook.refused; {
	case answer.late():
		return wrong("%s did not answer within %s, even to what it has to refuse", host, e.Limits.HookAnswer).
			do("is something before the program, which waits for it? Refuse what is not signed at once")
	case answer.err != nil:
		return wrong("%s: %v", host, answer).do("start the program, and check host and port of the URL; Crisp itself needs https:// and a public address")
	case answer.status == http.StatusNotFound:
		return wrong("404: %s has no hook at this path", host).do("check the path of the URL")
	case answer.status == http.StatusMethodNotAllowed:
		return wrong("405: no POST is allowed at this path").do("check the path of the URL: web hooks are POSTed")
	case 300 <= answer.status && answer.status < 400:
		return wrong("%v", answer).do("Crisp follows no redirect: register the URL that it leads to (a slash at the end, https instead of http)")
	default:
		return ok("%s answers within %s", host, rounded(answer.took))
	}
}

// hookEvent returns the name of the event to deliver: message:send if it is wanted or
// nothing is, or else the first wanted event that comes by web hooks.
func (e *examination) hookEvent() string {
	const usual = "message:send"
	wanted := slices.DeleteFunc(e.wanted(), func(info crisp.EventInfo) bool { return info.RTMOnly })
	if len(wanted) == 0 || slices.ContainsFunc(wanted, func(info crisp.EventInfo) bool { return info.Name == usual }) {
		return usual
	}
	return wanted[0].Name
}

// withoutQuery returns the hook's URL, without its query if that holds the secret.
func (e *examination) withoutQuery() string {
	u, err := url.Parse(e.Hook)
	if err != nil || !e.byURL() {
		return e.Hook
	}
	u.RawQuery = ""
	return u.String()
}

const adviceToVerify = "verify the signature over the raw body before anything else (crisp.NewWebhook and crisp.Verify do), and answer 401: " +
	"otherwise anybody who knows the URL can make events"

func (e *examination) checkHookUnsigned(context.Context) Finding {
	switch answer := e.hook.refused; {
	case answer.accepted():
		return wrong("accepted: %v", answer).do(adviceToVerify)
	case answer.status >= http.StatusInternalServerError:
		return warning("answered %v", answer).do("answer 401: to a failure Crisp would deliver again, and it may hide that nothing is verified")
	default:
		return ok("refused: %v", answer)
	}
}

func (e *examination) checkHookForged(ctx context.Context) Finding {
	forged := delivery{body: e.hook.bodies.next(), secret: "this is not the secret"}
	if e.byURL() {
		u, _ := url.Parse(e.Hook) // can't fail: byURL parsed it
		query := u.Query()
		for key := range query {
			query.Set(key, "this-is-not-the-secret")
		}
		u.RawQuery = query.Encode()
		forged.secret, forged.url = "", u.String()
	}
	answer := e.deliver(ctx, forged)
	switch {
	case answer.accepted():
		return wrong("accepted: %v", answer).do(adviceToVerify)
	case answer.err != nil:
		return wrong("%v", answer).do("refuse what is not authentic at once, before anything is done")
	case answer.status >= http.StatusInternalServerError:
		return warning("answered %v", answer).do("answer 401: to a failure Crisp would deliver again")
	default:
		return ok("refused: %v", answer)
	}
}

// stale is the age of a delivery that no tolerance should accept.
const stale = time.Hour

func (e *examination) checkHookStale(ctx context.Context) Finding {
	if e.byURL() {
		return skipped("a website's hook has no signed time")
	}
	old := e.good(e.hook.bodies.next())
	old.at = time.Now().Add(-stale)
	answer := e.deliver(ctx, old)
	switch {
	case answer.accepted():
		return wrong("accepted: %v", answer).
			do("refuse signatures that are older than 5 minutes by X-Crisp-Request-Timestamp (crisp.WithTolerance), lest whoever has recorded a delivery can repeat it")
	case answer.err != nil:
		return wrong("%v", answer).do("refuse it at once, before anything is done")
	default:
		return ok("refused: %v", answer)
	}
}

func (e *examination) checkHookSigned(ctx context.Context) Finding {
	e.hook.first = e.deliver(ctx, e.good(e.hook.bodies.next()))
	switch answer := e.hook.first; {
	case answer.accepted():
		return ok("accepted: %v", answer)
	case answer.late():
		return skipped("not answered in time")
	case answer.err != nil:
		return wrong("%v", answer).do("see the program's log: it ended the connection instead of answering")
	case answer.refused() && e.spelling(ctx) != "":
		return skipped("refused in this spelling of the JSON, accepted in another")
	case answer.refused():
		return wrong("refused: %v", answer).
			do("does the program verify by the same secret as CRISP_SIGNING_SECRET here? Over \"[\" timestamp \";\" raw body \"]\", with both headers as they came, and a clock that is right?")
	case answer.status >= http.StatusInternalServerError:
		return wrong("%v", answer).
			do("authentic, but the program's handlers fail: see its log. The event is a sample of %s, of a conversation that Crisp does not know; --website gives it a website of yours", e.hookEvent())
	default:
		return wrong("%v", answer).do("answer 200 to whatever is authentic, also to events that the program does not need")
	}
}

// spelling returns the name of a JSON spelling that the hook accepts; empty if it
// accepts none.
func (e *examination) spelling(ctx context.Context) string {
	for _, s := range spellings {
		if e.deliver(ctx, e.good(s.of(e.hook.bodies.next()))).accepted() {
			return s.name
		}
	}
	return ""
}

const adviceOnBytes = "verify over the raw body, before any framework parses it (Express: express.raw; Flask: request.get_data(); net/http: io.ReadAll): " +
	"JSON that was encoded anew has other bytes, and another signature"

func (e *examination) checkHookBytes(ctx context.Context) Finding {
	switch {
	case e.byURL():
		return skipped("a website's hook is not signed")
	case e.hook.first.late():
		return skipped("needs hook.time")
	case e.outcome["hook.signed"] == Wrong:
		return skipped("needs hook.signed")
	}
	answer := e.deliver(ctx, e.good(unusual(e.hook.bodies.next())))
	switch {
	case answer.accepted() && e.hook.first.accepted():
		return ok("a body in an unusual spelling is accepted: %v", answer)
	case answer.refused() || e.hook.first.refused():
		return wrong("whether a good signature is accepted depends on how the JSON is spelt: blanks, escapes, forms of numbers").do(adviceOnBytes)
	case answer.late():
		return skipped("not answered in time")
	default:
		return warning("a body in an unusual spelling is answered %v", answer).do("see the program's log: it is the same event, with a member that is not known yet")
	}
}

func (e *examination) checkHookTime(context.Context) Finding {
	const advice = "answer first, and work later (a queue), or bound the work (crisp.WithHandlerTimeout): whoever delivers waits no longer, and delivers again"
	switch answer := e.hook.first; {
	case answer.late():
		return wrong("no answer within %s", e.Limits.HookAnswer).do(advice)
	case answer.err != nil:
		return skipped("needs hook.signed")
	case answer.took > e.Limits.HookSlow:
		return warning("answered after %s", rounded(answer.took)).do(advice)
	default:
		return ok("answered within %s", rounded(answer.took))
	}
}
