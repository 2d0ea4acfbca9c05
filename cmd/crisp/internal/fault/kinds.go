package fault

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// always is the value of a number of times that never ends.
const always = "always"

var drops = map[string]crisptest.Drop{
	"close":  crisptest.DropClose,
	"cut":    crisptest.DropCut,
	"reset":  crisptest.DropReset,
	"packet": crisptest.DropPacket,
}

var kinds = []Kind{
	{
		Name: "drop", What: "every RTM connection is lost",
		Params: []Param{{"how", "close", "by a close frame, cut without one, reset, or by Socket.IO's disconnect packet", oneOf("close", "cut", "reset", "packet")}},
		apply:  func(s *crisptest.Server, v values) { s.DropConnections(drops[v["how"]]) },
	},
	{
		Name: "silence", What: "every RTM connection is half-open: nothing comes any more, but it is not closed",
		apply: func(s *crisptest.Server, _ values) { s.GoSilent() },
	},
	{
		Name: "rtm-down", What: "the RTM API is away, until all is healed",
		apply: func(s *crisptest.Server, _ values) { s.TakeDown() },
	},
	{
		Name: "move-endpoint", What: "the RTM API is elsewhere, as REST tells from now on",
		apply: func(s *crisptest.Server, _ values) { s.MoveEndpoint() },
	},
	{
		Name: "broken-endpoint", What: "the RTM endpoint fails, its rescue works",
		apply: func(s *crisptest.Server, _ values) { s.BreakEndpoint() },
	},
	{
		Name: "refuse-handshake", What: "WebSocket handshakes are answered with a status",
		Params: []Param{status("503"), count, retry},
		apply: func(s *crisptest.Server, v values) {
			s.RefuseUpgrade(v.number("status"), v.number("count"), v.retryAfter()...)
		},
	},
	{
		Name: "hang-up", What: "RTM connections end right after they have begun",
		Params: []Param{count},
		apply:  func(s *crisptest.Server, v values) { s.HangUp(v.number("count")) },
	},
	{
		Name: "refuse-auth", What: "RTM authentications are answered with unauthorized",
		Params: []Param{{"message", "invalid authentication", "what the answer says", anything}},
		apply:  func(s *crisptest.Server, v values) { s.RejectAuth(v["message"]) },
	},
	{
		Name: "ignore-auth", What: "RTM authentications are not answered, as with too many connections",
		Params: []Param{count},
		apply:  func(s *crisptest.Server, v values) { s.IgnoreAuth(v.number("count")) },
	},
	{
		Name: "fail-rest", What: "REST requests are answered with a status",
		Params: []Param{status("500"), count, retry},
		apply: func(s *crisptest.Server, v values) {
			s.FailREST(v.number("status"), v.number("count"), v.retryAfter()...)
		},
	},
	{
		Name: "gateway", What: "REST requests are answered by a gateway, with a page of its own",
		Params: []Param{status("502"), count, {"body", "<html><body>Bad gateway</body></html>", "the page", anything}},
		apply: func(s *crisptest.Server, v values) {
			s.GatewayREST(v.number("status"), v["body"], v.number("count"))
		},
	},
	{
		Name: "slow-rest", What: "every answer of REST is late",
		Params: []Param{{"delay", "2s", "by how much", duration}},
		apply:  func(s *crisptest.Server, v values) { s.SlowREST(v.duration("delay")) },
	},
	{
		Name: "limit-rest", What: "REST answers 429 beyond so many requests",
		Params: []Param{{"requests", "10", "how many are answered", positive}, {"per", "1s", "in which time", duration}},
		apply:  func(s *crisptest.Server, v values) { s.LimitREST(v.number("requests"), v.duration("per")) },
	},
	{
		Name: "duplicate-hooks", What: "web hooks are delivered twice",
		Params: []Param{count},
		apply:  func(s *crisptest.Server, v values) { s.DuplicateHooks(v.number("count")) },
	},
	{
		Name: "reorder-hooks", What: "web hooks are held back, then delivered last first",
		Params: []Param{{"count", "3", "how many", positive}},
		apply:  func(s *crisptest.Server, v values) { s.ReorderHooks(v.number("count")) },
	},
	{
		Name: "skew-clock", What: "the server's clock is wrong, also in what it signs",
		Params: []Param{{"by", "1h", "by how much it is ahead, or behind if it begins with -", anyDuration}},
		apply:  func(s *crisptest.Server, v values) { s.SkewClock(v.duration("by")) },
	},
}

func status(byDefault string) Param {
	return Param{"status", byDefault, "of the answers", form{"an HTTP status from 200 to 599", func(text string) bool {
		n, err := strconv.Atoi(text)
		return err == nil && n >= 200 && n <= 599
	}}}
}

var count = Param{"count", always, "how many of them", form{"a number from 1, or always", func(text string) bool {
	return text == always || positive.fits(text)
}}}

var retry = Param{"retry", "0s", "when to try again, in a Retry-After header", duration}

var (
	anything = form{"any text", func(string) bool { return true }}
	positive = form{"a number from 1", func(text string) bool {
		n, err := strconv.Atoi(text)
		return err == nil && n > 0
	}}
	anyDuration = form{"a time such as 2s or -1h", func(text string) bool {
		_, err := time.ParseDuration(text)
		return err == nil
	}}
	duration = form{"a time such as 500ms, 2s or 1m", func(text string) bool {
		d, err := time.ParseDuration(text)
		return err == nil && d >= 0
	}}
)

func oneOf(texts ...string) form {
	return form{strings.Join(texts, " or "), func(text string) bool { return slices.Contains(texts, text) }}
}
