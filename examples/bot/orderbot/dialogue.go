package orderbot

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/crisp-go/crisp"
)

// maxMisses is how many messages in a row the bot may fail to understand before
// it calls a person.
const maxMisses = 2

// dialogue is what the bot knows about a conversation.
type dialogue struct {
	Greeted bool   `json:"greeted,omitempty"`
	Order   string `json:"order,omitempty"`  // the number of the order it is about
	Misses  int    `json:"misses,omitempty"` // messages in a row that were not understood
}

var (
	orderNumber = regexp.MustCompile(`\b\d{4,8}\b`)
	wantsPerson = regexp.MustCompile(`(?i)\b(human|person|agent|operator)\b`)
)

// orders stands for the shop's own system.
var orders = map[string]string{
	"1234": "is on its way and will arrive tomorrow",
	"5678": "was delivered on Monday",
}

// answer returns the answer to a message, and whether a person has to take over.
func (d *dialogue) answer(content crisp.Content) (answer string, handOver bool) {
	text, ok := content.(crisp.TextContent)
	switch {
	case !ok:
		return "I can't look at that, I only read. Somebody will look after you.", true
	case wantsPerson.MatchString(string(text)):
		return "Of course, I am calling somebody.", true
	}
	number := orderNumber.FindString(string(text))
	switch {
	case number != "":
		d.Order, d.Greeted = number, true
		return d.orderState()
	case !d.Greeted:
		d.Greeted = true
		return "Hello, I am a bot. Which order is it about? If you would rather talk to a person, say so.", false
	case d.Order != "" && strings.Contains(strings.ToLower(string(text)), "order"):
		return d.orderState()
	default:
		return d.miss()
	}
}

func (d *dialogue) orderState() (string, bool) {
	state, known := orders[d.Order]
	if !known {
		d.Order = ""
		return d.miss()
	}
	d.Misses = 0
	return fmt.Sprintf("Order %s %s.", d.Order, state), false
}

// miss counts a message that was not understood.
func (d *dialogue) miss() (string, bool) {
	if d.Misses++; d.Misses > maxMisses {
		d.Misses = 0
		return "I am afraid I can't help you there. I am calling somebody.", true
	}
	return "I did not find that. What is the number of your order?", false
}
