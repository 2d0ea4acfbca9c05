package rest

import "github.com/crisp-go/crisp"

// Route is a route of the REST API.
type Route struct {
	Method  string       // HTTP method
	Path    string       // below the base URL, with names in braces for identifiers
	Tiers   []crisp.Tier // of the tokens that may call it; empty if Crisp doesn't say
	Call    string       // that makes it in Go, such as site.People.Profile; several are separated by ", "
	Package string       // of the call: "crisp" or "rest"
}
