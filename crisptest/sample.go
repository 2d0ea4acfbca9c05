package crisptest

import (
	"fmt"

	"github.com/crisp-go/crisp"
)

// Sample is an event with a realistic payload, in which every field has a
// value. It panics on a name that is not in [crisp.Events], aliases included:
// that is a mistake in the test.
func Sample(name string) crisp.Event {
	ev, err := crisp.Decode(name, []byte(samplePayload(name)))
	if err != nil {
		panic(fmt.Sprintf("crisptest: there is no event %q to take a sample of", name))
	}
	return ev
}
