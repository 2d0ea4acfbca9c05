package crisptest

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
