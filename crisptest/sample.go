package crisptest

import (
	"fmt"

	"github.com/crisp-go/crisp"
)

// Sample returns an event with a realistic payload, in which no field is zero. It
// panics if the name is not in [crisp.Events], even if it is an alias.
func Sample(name string) crisp.Event {
	ev, err := crisp.Decode(name, []byte(samplePayload(name)))
	if err != nil {
		panic(fmt.Sprintf("crisptest: there is no event %q to take a sample of", name))
	}
	return ev
}
