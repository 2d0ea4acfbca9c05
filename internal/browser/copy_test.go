//go:build browser && unix

package browser

import (
	"fmt"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// texts returns what the tab offers to copy.
func (b *tab) texts() []string {
	b.t.Helper()
	return eval[[]string](b, `inspector.all('pre,textarea', `+panel+`).map((e) => e.value ?? e.textContent)`)
}

// code opens the way in which an event can be copied, and returns the text.
func (b *tab) code(as, part string) string {
	b.t.Helper()
	b.turnTo("Copy")
	if tab := fmt.Sprintf(`inspector.find('button,[role=tab],[role=radio],label', %s, %s)[0]`, quote(as), panel); eval[bool](b, "Boolean("+tab+")") {
		b.click(tab)
	}
	b.until(`inspector.all('pre,textarea', `+panel+`).some((e) => (e.value ?? e.textContent).includes(`+quote(part)+`))`, as+" is shown")
	for _, text := range b.texts() {
		if strings.Contains(text, part) {
			return text
		}
	}
	return ""
}

// awkward is text that a shell would change unless it is quoted correctly.
const awkward = `it's "quoted" $HOME $(touch canary) ` + "`touch canary`" + ` \ ! %s \n ; & | # 'x'`

func TestCopiedCommandsRun(t *testing.T) {
	m := newMachine(t)
	program := newTarget(t)
	r := m.receive(":0", "-f", program.url)
	b := m.open(wide, r.page())
	r.say(conversation(1), awkward)
	b.choose("it's \"quoted\"")
	program.arrivals(1)
	binary, err := installed()
	require.NoError(t, err)

	for n, as := range []struct{ name, part string }{{"curl", "curl "}, {"trigger", "crisp trigger "}} {
		text := b.code(as.name, as.part)
		assert.NotContains(t, text, secret, as.name)
		assert.NotContains(t, text, tokenOf(t, b), as.name)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", text)
		cmd.Dir = m.home
		cmd.Env = append(m.env(), "PATH="+filepath.Dir(binary)+":/usr/bin:/bin")
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", text, said)
		came := program.arrivals(n + 2)[n+1]
		assert.NoError(t, came.error, "%s is signed: %s", as.name, text)
		assert.Equal(t, awkward, came.content(t), as.name)
		assert.NoFileExists(t, m.file("canary"))
	}

	text := b.code("Go", "crisp.On(")
	assert.NotContains(t, text, secret)
	_, err = parser.ParseFile(token.NewFileSet(), "copied.go", "package p\nfunc f() {\n"+text+"\n}\n", parser.AllErrors)
	assert.NoError(t, err, text)
}

func tokenOf(t *testing.T, b *tab) string {
	t.Helper()
	token := eval[string](b, `new URLSearchParams(location.search).get('token') ?? ''`)
	if token == "" {
		return "\x00" // the page has hidden it
	}
	return token
}
