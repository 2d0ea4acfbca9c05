package eventinfo

import (
	_ "embed" // the document
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

//go:embed events_gen.json
var document []byte

type fromSpec struct {
	Events map[string]struct {
		Schema      string
		Summary     string
		Description string
		Aliases     []string
	}
	Schemas map[string]json.RawMessage
}

var spec = sync.OnceValue(func() fromSpec {
	var parsed fromSpec
	if err := json.Unmarshal(document, &parsed); err != nil {
		panic("the document of the events: " + err.Error()) // it was generated, and tests read it
	}
	return parsed
})

// Info describes an event.
type Info struct {
	Name        string   `json:"name"`
	Aliases     []string `json:"aliases,omitempty"`
	GoType      string   `json:"go_type"`
	Summary     string   `json:"summary"` // continues a sentence that begins with the name
	Description string   `json:"description,omitempty"`
	Tiers       []string `json:"tiers"`           // tiers of tokens that may receive it
	Scope       string   `json:"scope,omitempty"` // the scope that a plugin's token needs
	Transports  []string `json:"transports"`
}

// The transports.
const (
	RTM     = "rtm"
	Webhook = "webhook"
)

// All describes all events.
func All() []Info {
	var all []Info
	for _, event := range crisp.Events() {
		known := spec().Events[event.Name]
		info := Info{
			Name:        event.Name,
			Aliases:     known.Aliases,
			GoType:      event.GoType,
			Summary:     known.Summary,
			Description: strings.TrimSpace(known.Description),
			Scope:       event.Scope,
			Transports:  []string{RTM, Webhook},
		}
		if event.RTMOnly {
			info.Transports = []string{RTM}
		}
		for _, tier := range event.Tiers {
			info.Tiers = append(info.Tiers, string(tier))
		}
		all = append(all, info)
	}
	return all
}

// Find describes an event, by its name, an alias, or the name of its Go type.
func Find(name string) (Info, bool) {
	all := All()
	i := slices.IndexFunc(all, func(info Info) bool {
		return info.Name == name || info.GoType == name || slices.Contains(info.Aliases, name)
	})
	if i < 0 {
		return Info{}, false
	}
	return all[i], true
}

// Sample returns a realistic payload, as JSON in one line.
func (i Info) Sample() json.RawMessage {
	payload, err := json.Marshal(crisptest.Sample(i.Name))
	if err != nil {
		panic("the sample of " + i.Name + ": " + err.Error()) // a test makes them all
	}
	return payload
}

// Go returns Go code that registers a handler for the event.
func (i Info) Go() string {
	return "crisp.On(router, func(ctx context.Context, ev *crisp." + i.GoType + ") error {\n\treturn nil\n})"
}
