package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
)

// code answers with what sends an event again: a command for a shell, or a test in Go. The secret
// is never in it.
func (s *Server) code(r *http.Request) (any, error) {
	id, err := ParseID(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	e, _, ok := s.cfg.Ring.Get(id)
	switch {
	case !ok:
		return nil, forgotten(id)
	case e.body == nil:
		return nil, errors.New("only events can be sent again")
	}
	var text string
	switch as := r.FormValue("as"); as {
	case "curl":
		text = asCurl(e)
	case "trigger":
		text = asTrigger(e)
	case "go":
		text = asGo(e)
	default:
		return nil, fmt.Errorf("as is %q; it must be curl, go or trigger", as)
	}
	return struct {
		Text string `json:"text"`
	}{text}, nil
}

const exampleURL = "http://127.0.0.1:8080/hooks"

// asCurl signs as Crisp does: the HMAC-SHA256 of "[<time in ms>;<body>]", in hexadecimal digits.
func asCurl(e *entry) string {
	return `body=` + shellQuote(string(e.body)) + `
at=$(date +%s)000
signature=$(printf '[%s;%s]' "$at" "$body" | openssl dgst -sha256 -hmac "$CRISP_SIGNING_SECRET" | sed 's/.* //')
printf %s "$body" | curl -sS ` + exampleURL + ` \
  -H 'Content-Type: application/json' \
  -H "X-Crisp-Request-Timestamp: $at" \
  -H "X-Crisp-Signature: $signature" \
  --data-binary @-
`
}

func asTrigger(e *entry) string {
	return `printf %s ` + shellQuote(string(e.body)) + ` |
  crisp trigger --data - --to ` + exampleURL + "\n"
}

// shellQuote quotes a text for a POSIX shell, such that it is safe to show.
func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// asGo is a test of a handler, which gets the event as by a web hook.
func asGo(e *entry) string {
	name := "UnknownEvent"
	if info, known := eventinfo.Find(e.Event); known {
		name = info.GoType
	}
	var payload struct {
		Data json.RawMessage `json:"data"`
	}
	data := e.body
	if json.Unmarshal(e.body, &payload) == nil && payload.Data != nil {
		data = payload.Data
	}
	return fmt.Sprintf(`ev, err := crisp.Decode(%q, []byte(%s))
if err != nil {
	t.Fatal(err)
}
handle(t.Context(), ev.(*crisp.%s))
`, e.Event, goQuote(data), name)
}

func goQuote(text []byte) string {
	if strconv.CanBackquote(string(text)) && !bytes.ContainsRune(text, '\uFEFF') {
		return "`" + string(text) + "`"
	}
	return strconv.QuoteToASCII(string(text))
}
