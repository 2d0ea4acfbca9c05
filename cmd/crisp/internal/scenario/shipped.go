package scenario

import (
	"embed"
	"io/fs"
	"strings"
)

// Those that ship, in files named after them.
//
//go:embed shipped/*.scenario
var shipped embed.FS

// shippedOrder is the order in which they are told: from the simplest on.
var shippedOrder = []string{"first-conversation", "busy-hour", "bad-day"}

// Shipped returns the scenarios that ship.
func Shipped() []*Scenario {
	var list []*Scenario
	for _, name := range shippedNames() {
		text, _ := shippedText(name)
		s, err := Parse(name, text)
		if err != nil {
			panic("crisp: a scenario that ships is wrong: " + err.Error()) // a test reads them all
		}
		list = append(list, s)
	}
	return list
}

func shippedNames() []string { return shippedOrder }

func shippedText(name string) (text string, ok bool) {
	if strings.ContainsAny(name, `/\`) {
		return "", false
	}
	content, err := fs.ReadFile(shipped, "shipped/"+name+".scenario")
	return string(content), err == nil
}
