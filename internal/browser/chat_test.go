//go:build browser && unix

package browser

import (
	"fmt"
	"testing"
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
