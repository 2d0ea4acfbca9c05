package inspect

import (
	"go/parser"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// hostileTexts are what somebody may write who knows where it will be pasted.
var hostileTexts = []string{
	"plain", `it's "quoted"`, "$(touch pwned) `touch pwned` ${HOME} $HOME !! !$", "'; touch pwned; '", `\'; touch pwned; #`, "a\nb\r\n\tc\n", "%s%n%d \\n \\\\ \\101",
	"\x1b[2J\x1b]0;title\a\x7f", "\u202egnihton\u202c Zoë 😀 \u0085\u2028", "`backquotes`", "-n -e --", "*/ \" ) // \n", "<EOF\nEOF\n", "@/etc/passwd", "x\n\n\n",
}

// bodies are web hooks that have the hostile texts in them as they are, and bodies that
// are no JSON.
func hostileBodies(t *testing.T) (bodies [][]byte) {
	for _, text := range hostileTexts {
		bodies = append(bodies, messageOf(t, "session_1", text).Body, []byte(text), []byte("-"+text), []byte("@"+text+"'"))
	}
	return append(bodies, []byte("\xff\xfe'\x80"))
}

// Pasted into a shell, the code keeps every byte, and runs nothing of it.
func TestShellBody(t *testing.T) {
	for _, body := range hostileBodies(t) {
		folder := t.TempDir()
		command := exec.CommandContext(t.Context(), "sh", "-c", "body="+shellBody(body)+"\nprintf %s \"$body\"")
		command.Dir = folder
		got, err := command.CombinedOutput()
		require.NoError(t, err, "%q", body)
		assert.Equal(t, string(body), string(got))
		left, err := os.ReadDir(folder)
		require.NoError(t, err)
		assert.Empty(t, left, "%q has run something", body)
		assert.False(t, strings.ContainsAny(shellBody(body), "\x00\x1b\a\r\n\t\x7f\u0085\u2028\u202e"), "%q", body)
	}
}

func TestGoQuote(t *testing.T) {
	for _, body := range hostileBodies(t) {
		_, err := parser.ParseExpr("[]byte(" + goQuote(body) + ")")
		require.NoError(t, err)
		assert.False(t, strings.ContainsAny(goQuote(body), "\x00\x1b\a\r\n\t\x7f\u0085\u2028\u202e"), "%q", body)
	}
}

func TestCode(t *testing.T) {
	b := begin(t)
	b.add(messageOf(t, "session_1", "it's me"))
	b.add(&record.Dropped{Count: 1})
	unknown := eventOf(t, "future:thing\"x", `{"a":1}`)
	b.add(unknown)
	code := func(id, as string) string {
		var answer struct{ Text string }
		b.get("/api/code/"+id+"?as="+url.QueryEscape(as), &answer)
		assert.NotContains(t, answer.Text, testSecret)
		return answer.Text
	}
	assert.Contains(t, code(testRun+"-1", "curl"), `"content":"it'\''s me"`)
	assert.Contains(t, code(testRun+"-1", "curl"), "CRISP_SIGNING_SECRET")
	assert.Contains(t, code(testRun+"-1", "trigger"), "crisp trigger --data - --to")
	assert.Contains(t, code(testRun+"-1", "go"), "ev *crisp.MessageSend")
	for _, n := range []string{"1", "3"} {
		_, err := parser.ParseExpr("func() {\n" + code(testRun+"-"+n, "go") + "}")
		require.NoError(t, err)
	}
	for path, want := range map[string]int{"2?as=curl": 400, "1?as=php": 400, "1": 400, "9?as=curl": 404} {
		status, _ := b.do("GET", "/api/code/"+testRun+"-"+path, "")
		assert.Equal(t, want, status, path)
	}
	broken := &Entry{Run: testRun, N: 10, At: time.Now(), isEvent: true}
	broken.setBody([]byte("a\x00b"))
	b.ring.Add(broken)
	status, text := b.do("GET", "/api/code/"+testRun+"-10?as=curl", "")
	assert.Equal(t, 400, status)
	assert.Contains(t, text, "use crisp replay")
}

// Copied commands lead to where the event was delivered, if a shell can be told so.
func TestCodeLeadsToWhereTheEventWent(t *testing.T) {
	for target, want := range map[string]string{
		"http://127.0.0.1:8099/hooks":       "${URL:-http://127.0.0.1:8099/hooks}",
		"http://127.0.0.1:8099/hooks?key=…": "${URL:-http://127.0.0.1:8080/hooks}",
		"http://h/$(touch x)":               "${URL:-http://127.0.0.1:8080/hooks}",
	} {
		b := begin(t)
		of := b.add(messageOf(t, "session_1", "Hi"))
		b.add(&record.Delivery{Of: of.N, Event: "message:send", Target: target, Outcome: record.GivenUp})
		for _, as := range []string{"curl", "trigger"} {
			var answer struct{ Text string }
			b.get("/api/code/"+testRun+"-1?as="+as, &answer)
			assert.Contains(t, answer.Text, want)
		}
	}
}
