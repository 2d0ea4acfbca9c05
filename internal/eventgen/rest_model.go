package main

import "strings"

// restModel is what the document of the routes says, validated and resolved.
type restModel struct {
	services []*service // in the order of the document's tags
	routes   []*route   // in the document's order
	structs  []*structType
	enums    []*enumType
	imported []*structType // of the events, in their document's order
}

// service is a tag: a group of routes that share their first identifiers.
type service struct {
	name  string // without "Service"
	doc   string // continues "<name>Service makes the calls for "
	reach string // how a program gets it, such as site.People
	bound []string
}

// route is an operation.
type route struct {
	service *service // nil after a mistake
	method  string   // in capitals
	path    string   // below the base URL, with names in braces
	summary string   // continues a sentence that begins with the Go name
	notes   string
	tiers   []string
	paged   bool
	calls   []*restCall // several if there are several bodies
	root    string      // the call of package crisp that makes it; such routes have no calls
}

// restCall is a method in Go.
type restCall struct {
	name    string
	args    []argument
	query   *queryType // nil = none
	body    bodyKind
	members []argument // bodyMembers
	answer  answerKind
	typ     goType // of the answer or of its elements
	member  string // answerMember: on the wire
}

// argument is a parameter of a method, or a member of a body that is one.
type argument struct {
	wire string
	name string
	typ  goType
	body *structType // for its body form; typ is then a struct
	list bool        // of body
	kind argumentKind
}

type argumentKind int

const (
	argPath argumentKind = iota
	argQuery
	argBody
)

// queryType is a struct of parameters that may be left out.
type queryType struct {
	name   string
	fields []*field
	// filters are the fields that are lists of structs, sent as JSON.
	filters map[*field]*structType
}

type bodyKind int

const (
	bodyNone    bodyKind = iota
	bodyValue            // an argument as it is
	bodyMembers          // arguments as members of an object
)

type answerKind int

const (
	answerNone answerKind = iota
	answerStatus
	answerRaw
	answerObject
	answerList
	answerTexts
	answerMember
	answerMessage
)

// iterates reports whether the method is an iterator over pages, which it isn't if the
// type of their elements is unknown.
func (c *restCall) iterates(r *route) bool { return r.paged && c.answer != answerRaw }

// goCall is how the catalog and the documentation name a call.
func (r *route) goCall() string {
	if r.root != "" {
		return r.root
	}
	names := make([]string, len(r.calls))
	for i, c := range r.calls {
		names[i] = r.service.reach + "." + c.name
	}
	return strings.Join(names, ", ")
}

func (r *route) goPackage() string {
	if r.root != "" {
		return "crisp"
	}
	return "rest"
}

// names are those in braces in the path.
func (r *route) names() []string {
	var names []string
	for _, part := range strings.Split(r.path, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		names = append(names, name)
	}
	return names
}

// usage records in which forms each type occurs, and in which services.
type usage struct {
	answers map[*structType]map[*service]bool // also as a part
	bodies  map[*structType]map[*service]bool // likewise
	whole   map[*structType]bool              // as a whole answer, or an element of one
	paged   map[*structType]bool              // as an element of a list in pages
}

// inputName is the name of a struct's form for bodies.
func (u *usage) inputName(s *structType) string {
	if _, both := u.answers[s]; both {
		return s.name + "Input"
	}
	return s.name
}

func newUsage(m *restModel) *usage {
	u := &usage{
		answers: map[*structType]map[*service]bool{},
		bodies:  map[*structType]map[*service]bool{},
		whole:   map[*structType]bool{},
		paged:   map[*structType]bool{},
	}
	for _, r := range m.routes {
		for _, c := range r.calls {
			if c.answer == answerObject || c.answer == answerList {
				u.whole[c.typ.ref] = true
				u.paged[c.typ.ref] = u.paged[c.typ.ref] || c.iterates(r)
				mark(u.answers, c.typ.ref, r.service, everything)
			}
			for _, a := range c.args {
				if a.body != nil {
					mark(u.bodies, a.body, r.service, written)
				}
			}
			if c.query != nil {
				for _, s := range c.query.filters {
					mark(u.bodies, s, r.service, written)
				}
			}
		}
	}
	return u
}

func everything(*field) bool { return true }

func written(f *field) bool { return !f.readOnly }

// mark notes that a service uses a struct and those of its parts that are in fields of
// which that holds.
func mark(uses map[*structType]map[*service]bool, s *structType, by *service, holds func(*field) bool) {
	if uses[s][by] {
		return
	}
	if uses[s] == nil {
		uses[s] = map[*service]bool{}
	}
	uses[s][by] = true
	for _, f := range s.fields {
		if part := f.typ.structOf(); part != nil && holds(f) {
			mark(uses, part, by, holds)
		}
	}
}

// structOf returns the struct that a type is, or has as elements; nil if none.
func (t goType) structOf() *structType {
	if t.elem != nil {
		return t.elem.structOf()
	}
	return t.ref
}
