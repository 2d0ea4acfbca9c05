package scenario

import (
	"embed"
	"io/fs"
	"strings"
)

// shipped holds the scenarios that ship, in files named after them.
//
//go:embed shipped/*.scenario
var shipped embed.FS

// shippedNames are the names of the scenarios that ship, the simplest first.
var shippedNames = []string{"first-conversation", "busy-hour", "bad-day"}

// Shipped returns the scenarios that ship.
func Shipped() []*Scenario {
	var list []*Scenario
	for _, name := range shippedNames {
		text, _ := shippedText(name)
		s, err := Parse(name, text)
		if err != nil {
			panic("crisp: a scenario that ships is wrong: " + err.Error()) // can't happen: a test reads them all
		}
		list = append(list, s)
	}
	return list
}

func shippedText(name string) (text string, ok bool) {
	if strings.ContainsAny(name, `/\`) {
		return "", false
	}
	content, err := fs.ReadFile(shipped, "shipped/"+name+".scenario")
	return string(content), err == nil
}
