//go:build browser && unix

package browser

import "fmt"

// tabs are those of an event's detail, by how their names begin.
var tabs = []string{"Payload", "Raw", "Deliveries", "Conversation", "Diff", "Edit", "Copy"}

// panel finds what the chosen tab shows.
const panel = `inspector.find('[role=tabpanel]')[0]`

// turnTo chooses a tab of the detail.
func (b *tab) turnTo(tab string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`inspector.find('[role=tab]', %s)[0]`, quote(tab)))
	b.until(fmt.Sprintf(`inspector.find('[role=tab]', %s)[0].getAttribute('aria-selected') === 'true'`, quote(tab)), tab+" is chosen")
}

// tells waits until the chosen tab shows a text.
func (b *tab) tells(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`%s?.innerText.includes(%s)`, panel, quote(text)), "the tab shows "+text)
}

// button finds a button of the chosen tab.
func button(name string) string {
	return fmt.Sprintf(`inspector.find('button', %s, %s)[0]`, quote(name), panel)
}
