package crisptest

import (
	"net/url"
	"slices"
	"strings"
)

// The bodies that the routes of campaign templates take.
var (
	newTemplateShape = object(members{"name": filled, "format": filled}, nil)
	templateShape    = object(nil, members{"name": filled, "format": filled, "content": textual})
)

// templateRoutes adds the routes of a website's templates of campaigns.
func (s *Server) templateRoutes(handle addRoute) {
	resource{
		name:  "template",
		list:  "campaigns/templates",
		one:   "campaigns/template",
		new:   newTemplateShape,
		saved: templateShape,
		patch: templateShape,
		own:   []string{"type"},
		of:    func(w *site) collection { return w.templates },
		begin: func() document { return document{"type": "custom", "content": ""} },
		show:  asIs,
		find:  findTemplates,
	}.routes(s, handle)
}

func findTemplates(call restCall, w *site) []document {
	query := call.URL.Query()
	kinds := chosen(query, map[string]func(document) bool{
		"filter_type_static": func(d document) bool { return d.text("type") == "static" },
		"filter_type_custom": func(d document) bool { return d.text("type") == "custom" },
	})
	var list []document
	for _, d := range w.templates.all() {
		if kinds(d) && named(query, d) {
			list = append(list, d.excerpt("template_id", "type", "name", "format", "created_at", "updated_at"))
		}
	}
	return list
}

// named reports whether a document's name has the text that is searched for.
func named(query url.Values, d document) bool {
	return strings.Contains(strings.ToLower(d.text("name")), strings.ToLower(query.Get("search_name")))
}

// chosen returns what reports whether one of those filters wants a document that are
// set in a query, which is so if none is.
func chosen(query url.Values, filters map[string]func(document) bool) func(document) bool {
	var set []func(document) bool
	for key, wants := range filters {
		if query.Get(key) == "1" {
			set = append(set, wants)
		}
	}
	return func(d document) bool {
		return len(set) == 0 || slices.ContainsFunc(set, func(wants func(document) bool) bool { return wants(d) })
	}
}
