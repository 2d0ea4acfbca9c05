//go:build browser && unix

package browser

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// side finds one of the two sides of the chat.
func side(name string) string {
	return fmt.Sprintf(`inspector.find('section,[role=region],[role=group],fieldset', %s)[0]`, quote(name))
}

// write something in one side of the chat, and send it.
func (b *tab) chat(name, text string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`inspector.all('textarea,input:not([type]),input[type=text]', %s).at(-1)`, side(name)))
	b.write(text)
	b.click(fmt.Sprintf(`inspector.find('button', 'Send', %s)[0]`, side(name)))
}

func (b *tab) hears(name, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`%s?.innerText.includes(%s)`, side(name), quote(text)), name+" sees "+text)
}

// bot answers each message of a visitor with its text.
func (m *machine) bot(s server) {
	m.t.Helper()
	vars := map[string]string{}
	text, err := os.ReadFile(s.env)
	require.NoError(m.t, err)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		vars[name] = strings.Trim(value, "'")
	}
	client, err := crisp.New(crisp.PluginToken(vars["CRISP_IDENTIFIER"], vars["CRISP_KEY"]), crisp.WithBaseURL(vars["CRISP_BASE_URL"]))
	require.NoError(m.t, err)
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, said *crisp.MessageSend) error {
		_, err := client.Reply(ctx, said, crisp.TextContent("bot: "+said.Text()))
		return err
	})
	connected := make(chan struct{})
	rtm, err := client.NewRTM(router, crisp.WithHooks(crisp.Hooks{Connected: func(crisp.Connected) { close(connected) }}))
	require.NoError(m.t, err)
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(context.Background()) }()
	<-connected
	m.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(m.t, rtm.Shutdown(ctx))
		assert.ErrorIs(m.t, <-ended, crisp.ErrClosed)
		client.CloseIdleConnections()
	})
}

func TestBotIsTriedByHand(t *testing.T) {
	m := newMachine(t)
	s := m.serve("--ui=127.0.0.1:0")
	m.bot(s)
	b := m.open(wide, s.page())
	b.click(`inspector.find('button,a,[role=tab]', 'Chat')[0]`)
	b.chat("Visitor", "Where is my order?")
	for _, name := range []string{"Visitor", "Operator"} {
		b.hears(name, "Where is my order?")
		b.hears(name, "bot: Where is my order?")
	}
	b.chat("Operator", "Let me look.")
	b.hears("Visitor", "Let me look.")
	b.chat("Visitor", hostile[1])
	b.hears("Operator", "<img src=x onerror")
	b.screenshot("chat")
	for _, w := range windows {
		b.resize(w)
		assert.Empty(t, b.violations(), "%s", w)
		assert.LessOrEqual(t, eval[float64](b, `document.scrollingElement.scrollWidth`), float64(w.width), "%s", w)
		b.screenshot("chat-" + w.String())
	}
}
