package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
)

// getCode returns a command or a program that sends an event again. It holds no secrets.
func (s *Server) getCode(r *http.Request) (any, error) {
	e, err := s.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if !e.isEvent {
		return nil, fmt.Errorf("it is of kind %s: only an event can be made again", e.Summary.Kind)
	}
	if bytes.IndexByte(e.Body, 0) >= 0 {
		return nil, errors.New("it has a byte of value 0, which no shell keeps: export it, and use crisp replay")
	}
	var text string
	switch as := r.URL.Query().Get("as"); as {
	case "curl":
		text = asCurl(e, s.example(e))
	case "trigger":
		text = asTrigger(e, s.example(e))
	case "go":
		text = asGo(e)
	default:
		return nil, fmt.Errorf("as is %q; it must be curl, go or trigger", as)
	}
	return map[string]string{"text": text}, nil
}

// example returns a URL of a program in development: one that got the event, or else any
// target, or else a made-up one.
func (s *Server) example(of *Entry) string {
	var names []string
	for _, made := range s.cfg.Ring.Deliveries(of.ID()) {
		names = append(names, made.Summary.Target)
	}
	for _, target := range s.cfg.Targets {
		names = append(names, target.Name())
	}
	for _, name := range names {
		if plainURL.MatchString(name) {
			return name
		}
	}
	return "http://127.0.0.1:8080/hooks"
}

// plainURL matches URLs without secrets or characters that a shell interprets.
var plainURL = regexp.MustCompile(`^https?://[A-Za-z0-9.:/_-]+$`)

// asCurl lets crisp trigger sign, so that the secret is on no command line.
func asCurl(e *Entry, example string) string {
	return `# The secret is in CRISP_SIGNING_SECRET, the URL in URL.
body=` + shellBody(e.Body) + `
printf %s "$body" |
  crisp trigger --data - --print --format json --jq '.headers | to_entries[] | .key + ": " + .value' |
  sed 's/^/header = /' |
  curl --config - --data-raw "$body" "${URL:-` + example + `}"
`
}

func asTrigger(e *Entry, example string) string {
	return `# The secret is in CRISP_SIGNING_SECRET, the URL in URL.
body=` + shellBody(e.Body) + `
printf %s "$body" | crisp trigger --data - --to "${URL:-` + example + `}"
`
}

// shellBody quotes a body for a POSIX shell. Control characters become printf's escapes,
// so that a terminal shows everything that is pasted into it.
func shellBody(body []byte) string {
	if isTyped(body) {
		return shellQuote(string(body))
	}
	var b strings.Builder
	for len(body) > 0 {
		r, size := utf8.DecodeRune(body)
		for _, c := range body[:size] {
			if r < utf8.RuneSelf && 0x20 <= c && c < 0x7f && strings.IndexByte(`\'%-`, c) < 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		}
		body = body[size:]
	}
	return `$(printf '` + b.String() + `_'); body=${body%_}`
}

// isTyped reports whether a text is one line that a terminal shows as it is.
func isTyped(text []byte) bool {
	return utf8.Valid(text) && !bytes.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) })
}

// shellQuote quotes a text for a POSIX shell.
func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func asGo(e *Entry) string {
	info, found := eventinfo.Find(e.Summary.Event)
	handle := "router.OnName(" + strconv.QuoteToASCII(e.Summary.Event) + ", func(ctx context.Context, ev crisp.Event) error {\n\treturn nil\n})"
	if found {
		handle = info.Go()
	}
	return handle + `

// In a test: the web hook's body as it came, signed anew.
body := []byte(` + goQuote(e.Body) + `)
r := httptest.NewRequest(http.MethodPost, "/hooks", bytes.NewReader(body))
r.Header = crisp.Sign(os.Getenv("CRISP_SIGNING_SECRET"), time.Now(), body)
r.Header.Set("Content-Type", "application/json")
w := httptest.NewRecorder()
webhook.ServeHTTP(w, r)
`
}

// goQuote quotes a text for Go, as a raw string if that shows everything in it.
func goQuote(text []byte) string {
	if isTyped(text) && !bytes.ContainsRune(text, '`') {
		return "`" + string(text) + "`"
	}
	return strconv.QuoteToASCII(string(text))
}
