//go:build browser && unix

package browser

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// hostile is what somebody might write who wants more than to be read. Whatever runs as
// a script calls canary; whatever leads somewhere leads to where nobody is.
var hostile = []string{
	`<script>canary('script')</script><ScRiPt src=//127.0.0.2:1></sCrIpT><script>canary('unclosed')`,
	`<img src=x onerror=canary('img')><svg/onload=canary('svg')><video><source onerror=canary('video')></video>` +
		`<details open ontoggle=canary('details')><body onload=canary('body')><input autofocus onfocus=canary('input')>`,
	`"><img src=x onerror=canary('quote')>' onmouseover='canary(1)' onfocus='canary(2)' autofocus='` + "` onclick=`canary(3)`",
	`</textarea></title></style></script></pre></button>--><!--><![CDATA[]]><img src=x onerror=canary('closed')>`,
	`<iframe srcdoc="<script>parent.canary('srcdoc')</script>"></iframe><iframe src="javascript:parent.canary('frame')"></iframe>` +
		`<object data=http://127.0.0.2:1/></object><embed src=http://127.0.0.2:1/><form action=http://127.0.0.2:1/><button>`,
	`<style>*{display:none;background:url(http://127.0.0.2:1/)}</style><link rel=stylesheet href=http://127.0.0.2:1/>` +
		`<meta http-equiv=refresh content="0;url=http://127.0.0.2:1/"><base href=http://127.0.0.2:1/><p style=position:fixed>`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=canary('mutation')&gt;">`,
	`&lt;img src=x onerror=canary('entity')&gt;&#60;script&#62;canary('number')&#60;/script&#62;\u003cscript\u003ecanary('escape')\u003c/script\u003e`,
	`javascript:canary('url')//`,
	"\x01java\tscript\n:canary('spaced')",
	`data:text/html,<script>parent.canary('data')</script>`,
	`//127.0.0.2:1/?a=b&token=c#d`,
	`{{constructor.constructor("canary('moustache')")()}}${canary('template')}#{canary('hash')}<%= canary('percent') %>[[canary()]]`,
	`';canary('string');'";canary('string');"` + "`+canary('string')+`" + `\';canary('escaped')//`,
	`__proto__`,
	`constructor`,
	`../../../../etc/passwd%00%0d%0aSet-Cookie:%20a=b`,
	`is:failed OR "event:* -website: $(touch canary) ; rm -rf ~`,
	"\x00\x01\x07\b\x1b[31m\x1b]0;title\a\x7f\u0085\u009b31m\r\n\t\v\f",
	"\u202egnp.\u2066js\u2069\u202d\u200f\u200e\u061c\u200b\u200d\ufeff\u2028\u2029\u00ad\ufffe\U000e0041",
	"مرحبا بالعالم שלום עולם ｆｕｌｌ Z\u0335\u0322\u0327a\u0338\u0348l\u0336\u0349g\u0335\u0353o 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 𝕳 \U0010ffff",
	surrogates,
	strings.Repeat("<b onclick=canary()>long ", 400) + strings.Repeat("W", 4000),
	strings.Repeat("\n<br>", 500),
	"",
}

// surrogates stands for halves of a surrogate pair, which no Go string has.
const surrogates = "(surrogates)"

// hostileJSON is how surrogates are written.
const hostileJSON = `"\ud800 \udc00\ud800 \u0000"`

// member is a name that no object should have.
const member = `<img src=x onerror=canary('name')>` + "\u202e"

// attacks returns web hooks in which, together, every hostile text is in every string of
// the event, and of what is around it.
func attacks(t *testing.T, name string) (bodies [][]byte) {
	t.Helper()
	for shift := range hostile {
		at := shift
		next := func() string {
			at++
			return hostile[at%len(hostile)]
		}
		data := replaced(sample(t, name), next).(map[string]any)
		data[member] = map[string]any{"__proto__": next(), "constructor": []any{next()}}
		body := wrapped(t, next(), name, data)
		bodies = append(bodies, []byte(strings.ReplaceAll(string(body), quote(surrogates), hostileJSON)))
	}
	return bodies
}

// replaced returns JSON with each of its strings replaced.
func replaced(value any, by func() string) any {
	switch v := value.(type) {
	case string:
		return by()
	case []any:
		for i := range v {
			v[i] = replaced(v[i], by)
		}
	case map[string]any:
		for _, name := range names(v) {
			v[name] = replaced(v[name], by)
		}
	}
	return value
}

// strays makes web hooks of events that nobody knows, whose names are hostile.
func strays(t *testing.T) (bodies [][]byte) {
	t.Helper()
	for _, text := range hostile {
		if text != "" && text != surrogates {
			bodies = append(bodies, wrapped(t, "w", text, map[string]any{"session_id": text, "content": text}))
		}
	}
	return bodies
}

func TestCorpusReachesEveryStringOfEveryEvent(t *testing.T) {
	for _, info := range crisp.Events() {
		reached := map[string]map[string]bool{}
		for _, body := range attacks(t, info.Name) {
			var e map[string]any
			require.NoError(t, json.Unmarshal(body, &e))
			delete(e, "event")
			for path, text := range leaves("", e) {
				if reached[path] == nil {
					reached[path] = map[string]bool{}
				}
				reached[path][text] = true
			}
		}
		want := leaves("data", sample(t, info.Name))
		want["website_id"] = ""
		for path := range want {
			assert.Len(t, reached["/"+path], len(hostile), "%s %s", info.Name, path)
		}
	}
}
