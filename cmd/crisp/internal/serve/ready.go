package serve

import "github.com/crisp-go/crisp/cmd/crisp/internal/control"

// Ready says how to use a server.
type Ready struct {
	Kind    string            `json:"kind"` // "ready"
	URL     string            `json:"url"`
	Control string            `json:"control"`
	Env     map[string]string `json:"env"`   // without what was given
	Given   []string          `json:"given"` // names of what was given
}

// Ready returns what says how to use the server.
func (s *Server) Ready() Ready {
	ready := Ready{Kind: "ready", URL: s.Origin(), Control: s.Origin() + control.Prefix, Env: map[string]string{}, Given: []string{}}
	for _, v := range s.Env() {
		if v.Given {
			ready.Given = append(ready.Given, v.Name)
		} else {
			ready.Env[v.Name] = v.Value
		}
	}
	return ready
}
