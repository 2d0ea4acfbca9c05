package crispotel

import (
	"net/http"
	"strings"

	"github.com/crisp-go/crisp/rest"
)

// routes finds the template of a request's path, such as
// website/{website_id}/people/stats.
type routes struct {
	byMethod map[string]*routeNode
}

// routeNode is what may follow an element of a path.
type routeNode struct {
	literal  map[string]*routeNode
	any      *routeNode // an identifier
	template string     // of what ends here; empty = nothing does
}

func newRoutes() *routes {
	r := &routes{byMethod: make(map[string]*routeNode)}
	for _, route := range rest.Routes() {
		r.add(route.Method, route.Path)
	}
	return r
}

func (r *routes) add(method, template string) {
	node := r.byMethod[method]
	if node == nil {
		node = newRouteNode()
		r.byMethod[method] = node
	}
	for element := range strings.SplitSeq(template, "/") {
		node = node.add(element)
	}
	node.template = template
}

func newRouteNode() *routeNode { return &routeNode{literal: make(map[string]*routeNode)} }

func (n *routeNode) add(element string) *routeNode {
	if strings.HasPrefix(element, "{") {
		if n.any == nil {
			n.any = newRouteNode()
		}
		return n.any
	}
	if n.literal[element] == nil {
		n.literal[element] = newRouteNode()
	}
	return n.literal[element]
}

// find returns the template of an escaped path, and the conversation that the path names. The template is empty if there
// is none. What the base URL has before the route, nobody has told: it is the part that leaves a route behind it.
func (r *routes) find(method, path string) (template, sessionID string) {
	root := r.byMethod[method]
	if root == nil {
		return "", ""
	}
	elements := strings.Split(strings.Trim(path, "/"), "/")
	for i := range min(len(elements), maxBase) {
		if template = root.find(elements[i:]); template != "" {
			return template, sessionIn(template, elements[i:])
		}
	}
	return "", ""
}

// maxBase bounds how many elements the base URL's path is taken to have.
const maxBase = 8

func (n *routeNode) find(elements []string) string {
	if len(elements) == 0 {
		return n.template
	}
	if next := n.literal[elements[0]]; next != nil {
		if template := next.find(elements[1:]); template != "" {
			return template
		}
	}
	if n.any == nil || elements[0] == "" {
		return ""
	}
	return n.any.find(elements[1:])
}

func sessionIn(template string, elements []string) string {
	i := 0
	for element := range strings.SplitSeq(template, "/") {
		if element == "{session_id}" {
			return conversationOf(elements[i])
		}
		i++
	}
	return ""
}

// spanMethod is what the conventions have spans called by a method that they don't know.
func spanMethod(method string) string {
	if method == other {
		return "HTTP"
	}
	return method
}

// methodOf is a request's method, as one of few values.
func methodOf(r *http.Request) string {
	switch r.Method {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return other
}
