package serve

import "github.com/crisp-go/crisp/cmd/crisp/internal/control"

// Ready is what programs are told about a server that is ready.
type Ready struct {
	Kind    string            `json:"kind"` // "ready"
	URL     string            `json:"url"`
	Control string            `json:"control"`
	Env     map[string]string `json:"env"`   // without the values that the user supplied
	Given   []string          `json:"given"` // the names of those
}

// Ready returns how to use the server, without secrets.
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
