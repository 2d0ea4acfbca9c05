package main

import (
	"slices"
	"strings"
)

// loadREST reads the document of the routes, which may refer to that of the events.
// The error has every mistake in it, and everything that the generator doesn't
// understand.
func loadREST(spec, eventSpec []byte) (*restModel, error) {
	doc, schemas, err := restDocument(spec, eventSpec)
	if err != nil {
		return nil, err
	}
	l := &restLoader{loader: *schemas, doc: doc, model: new(restModel)}
	l.events.home = "crisp."
	l.services()
	l.paths()
	l.checkCalls()
	l.collect()
	l.checkFields()
	return l.model, doc.err()
}

// restDocument parses the document of the routes, and returns it with a loader of its
// schemas. It has the mistakes of both documents.
func restDocument(spec, eventSpec []byte) (value, *loader, error) {
	doc, err := parse(restSpecFile, spec)
	if err != nil {
		return value{}, nil, err
	}
	events, err := parse(specFile, eventSpec)
	if err != nil {
		return value{}, nil, err
	}
	events.errs = doc.errs
	schemas, err := schemasOf(doc)
	if err != nil {
		return value{}, nil, err
	}
	eventSchemas, err := schemasOf(events)
	if err != nil {
		return value{}, nil, err
	}
	shared := &loader{schemas: eventSchemas, structs: map[string]*structType{}, enums: map[string]*enumType{}}
	l := &loader{schemas: schemas, structs: map[string]*structType{}, enums: map[string]*enumType{}, events: shared}
	return doc, l, nil
}

func schemasOf(doc value) (value, error) {
	if components, ok := doc.need("components"); ok {
		if schemas, ok := components.need("schemas"); ok {
			return schemas, nil
		}
	}
	return value{}, doc.err()
}

// restLoader reads the operations of the document.
type restLoader struct {
	loader
	doc   value
	model *restModel
}

func (l *restLoader) services() {
	tags, ok := l.doc.need("tags")
	if !ok {
		return
	}
	for _, tag := range tags.list() {
		tag.only("name", "description", "x-go-reach", "x-go-bound")
		l.model.services = append(l.model.services, &service{
			name:  tag.needText("name"),
			doc:   tag.needText("description"),
			reach: tag.needText("x-go-reach"),
			bound: tag.textsOf("x-go-bound"),
		})
	}
}

var httpMethods = []string{"head", "get", "post", "put", "patch", "delete"}

func (l *restLoader) paths() {
	paths, ok := l.doc.need("paths")
	if !ok {
		return
	}
	for _, path := range paths.members() {
		path.only(append([]string{"parameters"}, httpMethods...)...)
		for _, op := range path.members() {
			if op.key != "parameters" {
				l.operation(path, op)
			}
		}
	}
}

func (l *restLoader) operation(path, op member) {
	op.only("operationId", "tags", "summary", "description", "parameters", "requestBody", "responses",
		"x-crisp-tiers", "x-crisp-paged", "x-go-call", "x-go-query", "x-go-names")
	r := &route{
		method:  strings.ToUpper(op.key),
		path:    strings.TrimPrefix(path.key, "/"),
		summary: op.needText("summary"),
		notes:   op.textOf("description"),
		root:    op.textOf("x-go-call"),
	}
	if tiers, ok := op.need("x-crisp-tiers"); ok {
		r.tiers = tiers.texts()
	}
	if paged, ok := op.get("x-crisp-paged"); ok {
		r.paged = paged.boolean()
	}
	if paged := strings.HasSuffix(r.path, "{page}"); paged != r.paged {
		op.fail("x-crisp-paged and {page} at the end of the path go together")
	}
	tag, name, _ := strings.Cut(op.needText("operationId"), ".")
	l.model.routes = append(l.model.routes, r)
	if r.root != "" {
		r.service = l.tagged(op)
		return
	}
	if r.service = l.tagged(op); r.service == nil {
		return
	}
	if r.service.name != tag || !exported(name) {
		op.fail("operationId is the tag, a dot and a Go name, not %s.%s", tag, name)
		r.service = nil
		return
	}
	if names := r.names(); len(names) < len(r.service.bound) || !slices.Equal(names[:len(r.service.bound)], r.service.bound) {
		op.fail("the path does not begin with the identifiers of %s: %v", tag, r.service.bound)
		return
	}
	names := []string{name}
	if alternatives, ok := op.get("x-go-names"); ok {
		names = alternatives.texts()
	}
	for i, name := range names {
		r.calls = append(r.calls, l.call(path, op, r, name, i, len(names)))
	}
}

// tagged returns the service that an operation's tag names.
func (l *restLoader) tagged(op member) *service {
	tags := op.textsOf("tags")
	for _, s := range l.model.services {
		if slices.Equal(tags, []string{s.name}) {
			return s
		}
	}
	op.fail("wanted one tag, which is described")
	return nil
}

// call makes the Go method for one of the alternatives of an operation's body.
func (l *restLoader) call(path, op member, r *route, name string, alternative, alternatives int) *restCall {
	c := &restCall{name: name}
	l.answer(op, r, c)
	l.pathArguments(path, r, c)
	l.queryArguments(op, c)
	if body, ok := op.get("requestBody"); ok {
		l.body(body, c, alternative, alternatives)
	}
	return c
}

func (l *restLoader) pathArguments(path member, r *route, c *restCall) {
	described := map[string]value{}
	if parameters, ok := path.get("parameters"); ok {
		for _, p := range parameters.list() {
			p = l.parameter(p)
			described[p.needText("name")] = p
		}
	}
	for i, name := range r.names() {
		p, ok := described[name]
		if !ok {
			path.fail("the parameter %s is not described", name)
			continue
		}
		if i < len(r.service.bound) || name == "page" && c.iterates(r) {
			continue
		}
		c.args = append(c.args, l.argument(p, argPath))
	}
}

// parameter follows a reference to a parameter.
func (l *restLoader) parameter(p value) value {
	ref, ok := p.get("$ref")
	if !ok {
		return p
	}
	name, _ := strings.CutPrefix(ref.text(), "#/components/parameters/")
	if components, ok := l.doc.get("components"); ok {
		if parameters, ok := components.get("parameters"); ok {
			if found, ok := parameters.need(name); ok {
				return found
			}
		}
	}
	return p
}

func (l *restLoader) argument(p value, kind argumentKind) argument {
	p.only("name", "in", "required", "description", "schema", "x-go-name", "example")
	a := argument{wire: p.needText("name"), kind: kind}
	a.name = goArgument(camel(a.wire))
	if name := p.textOf("x-go-name"); name != "" {
		a.name = name
	}
	if schema, ok := p.need("schema"); ok {
		a.typ, _ = l.typeOf(schema)
	}
	return a
}

// goArgument makes an argument's name from that of a field or a type.
func goArgument(name string) string {
	upper := 0
	for upper < len(name) && 'A' <= name[upper] && name[upper] <= 'Z' {
		upper++
	}
	if upper > 1 && upper < len(name) && name[upper] != 's' {
		upper-- // the last capital begins a word
	}
	name = strings.ToLower(name[:upper]) + name[upper:]
	if name == "type" { // which is a keyword
		return "kind"
	}
	return name
}

func (l *restLoader) queryArguments(op member, c *restCall) {
	parameters, ok := op.get("parameters")
	if !ok {
		return
	}
	for _, p := range parameters.list() {
		p = l.parameter(p)
		if in := p.needText("in"); in != "query" {
			p.fail("a parameter of an operation is in query, not %s", in)
		}
		if required, ok := p.get("required"); ok && required.boolean() {
			c.args = append(c.args, l.argument(p, argQuery))
			continue
		}
		if c.query == nil {
			c.query = &queryType{name: op.needText("x-go-query"), filters: map[*field]*structType{}}
		}
		l.queryField(p, c.query)
	}
}

func (l *restLoader) queryField(p value, q *queryType) {
	p.only("name", "in", "description", "schema", "x-go-name", "content")
	wire := p.needText("name")
	f := &field{wire: wire, name: camel(wire), doc: p.needText("description")}
	if name := p.textOf("x-go-name"); name != "" {
		f.name = name
	}
	schema, ok := p.get("schema")
	if content, isJSON := p.get("content"); isJSON {
		content, _ = content.need("application/json")
		schema, ok = content.need("schema")
	}
	if !ok {
		p.fail("schema or content is missing")
		return
	}
	f.typ, _ = l.typeOf(schema)
	if s := f.typ.structOf(); s != nil {
		q.filters[f] = s
	}
	q.fields = append(q.fields, f)
}

func (l *restLoader) body(body value, c *restCall, alternative, alternatives int) {
	body.only("required", "description", "content", "x-go-name")
	schema, ok := jsonContent(body)
	if !ok {
		return
	}
	if forms, ok := schema.get("anyOf"); ok {
		if all := forms.list(); len(all) == alternatives {
			schema = all[alternative]
		} else {
			forms.fail("wanted as many as x-go-names")
		}
	} else if alternatives != 1 {
		schema.fail("x-go-names needs anyOf")
	}
	c.body = bodyValue
	switch properties, inline := schema.get("properties"); {
	case inline:
		schema.only("type", "required", "properties", "description")
		c.body = bodyMembers
		l.bodyMembers(schema, properties, c)
	default:
		a := l.bodyArgument(schema, "")
		if name := body.textOf("x-go-name"); name != "" {
			a.name = name
		}
		if a.name == "" {
			body.fail("needs x-go-name")
		}
		c.args = append(c.args, a)
	}
}

func jsonContent(v value) (value, bool) {
	content, ok := v.need("content")
	if !ok {
		return value{}, false
	}
	media, ok := content.need("application/json")
	if !ok {
		return value{}, false
	}
	return media.need("schema")
}

// bodyMembers makes arguments of the members of a small body, all of which are
// required.
func (l *restLoader) bodyMembers(schema, properties value, c *restCall) {
	needed := schema.textsOf("required")
	for _, property := range properties.members() {
		if !slices.Contains(needed, property.key) {
			property.fail("a body without a schema of its own has required members only")
		}
		a := l.bodyArgument(property.value, camel(property.key))
		a.wire = property.key
		if name := property.textOf("x-go-name"); name != "" {
			a.name = goArgument(name)
		}
		c.args = append(c.args, a)
		c.members = append(c.members, a)
	}
}

func (l *restLoader) bodyArgument(schema value, name string) argument {
	a := argument{kind: argBody}
	typ, ok := l.typeOf(schema)
	if !ok {
		return a
	}
	a.typ = typ
	if s := typ.structOf(); s != nil {
		a.body, a.list = s, typ.kind == kindSlice
		if name == "" {
			name = lastWord(s.name)
		}
	}
	a.name = goArgument(name)
	return a
}

// lastWord returns Card of ProfileCard.
func lastWord(name string) string {
	i := strings.LastIndexFunc(name, func(r rune) bool { return 'A' <= r && r <= 'Z' })
	return name[max(i, 0):]
}

func (l *restLoader) answer(op member, r *route, c *restCall) {
	if r.method == "HEAD" {
		c.answer = answerStatus
		return
	}
	responses, ok := op.need("responses")
	if !ok {
		return
	}
	success, ok := responses.need("200")
	if !ok {
		return
	}
	if _, ok := success.get("content"); !ok {
		return
	}
	schema, ok := jsonContent(success)
	if !ok {
		return
	}
	data, ok := dataOf(schema)
	if !ok {
		return
	}
	l.data(data, c)
}

// dataOf returns the schema of the data within the envelope.
func dataOf(schema value) (value, bool) {
	parts, ok := schema.need("allOf")
	if !ok {
		return value{}, false
	}
	if all := parts.list(); len(all) == 2 {
		if properties, ok := all[1].need("properties"); ok {
			return properties.need("data")
		}
	}
	parts.fail("wanted the envelope and its data")
	return value{}, false
}

func (l *restLoader) data(data value, c *restCall) {
	if properties, ok := data.get("properties"); ok {
		all := properties.members()
		if len(all) != 1 || jsonType(all[0].value) != "string" {
			data.fail("an answer without a schema of its own has one text, which counts")
			return
		}
		c.answer, c.member = answerMember, all[0].key
		return
	}
	if special, ok := data.get("x-crisp-type"); ok && special.text() == "raw" {
		c.answer = answerRaw
		return
	}
	if isMessage(data) {
		c.answer = answerMessage
		return
	}
	typ, ok := l.typeOf(data)
	switch {
	case !ok: // reported already
	case typ.kind == kindStruct:
		c.answer, c.typ = answerObject, typ
	case typ.kind == kindSlice && typ.elem.kind == kindStruct:
		c.answer, c.typ = answerList, *typ.elem
	case typ.kind == kindSlice && typ.elem.kind == kindString:
		c.answer = answerTexts
	default:
		data.fail("answers of %s are not supported", typ)
	}
}

// message is the schema for which package crisp has the type ConversationMessage.
const message = eventsPrefix + schemaPrefix + "MessageSend"

func isMessage(data value) bool {
	ref, ok := data.get("$ref")
	return ok && ref.text() == message
}

// taken are the names that a generated method uses itself, so that no argument may.
var taken = []string{"s", "c", "q", "ctx", "user", "plugin", "anyTier", "params", "number", "fetch", "pages"}

// checkCalls reports methods of a service that have the same name, and arguments that
// hide something.
func (l *restLoader) checkCalls() {
	seen := map[string]string{}
	for _, r := range l.model.routes {
		for _, c := range r.calls {
			name := r.service.name + "." + c.name
			if other, ok := seen[name]; ok {
				l.doc.fail("%s %s and %s are both %s", r.method, r.path, other, name)
			}
			seen[name] = r.method + " " + r.path
			for _, a := range c.args {
				if slices.Contains(taken, a.name) || a.name == "query" && c.query != nil {
					l.doc.fail("an argument of %s can't be named %s: give it an x-go-name", name, a.name)
				}
			}
		}
	}
}

// checkFields reports fields that can only be written, or only be read.
func (l *restLoader) checkFields() {
	use := newUsage(l.model)
	for _, s := range slices.Concat(l.model.structs, l.model.imported) {
		for _, f := range s.fields {
			if use.answers[s] != nil && f.typ.kind == kindDate {
				l.doc.fail("%s.%s: dates in answers are not supported", s.name, f.wire)
			}
			if use.bodies[s] != nil && !f.readOnly && (s.home != "" || slices.Contains(readOnlyKinds, f.typ.kind)) {
				l.doc.fail("%s.%s can't be in a body: give the body a schema of its own", s.name, f.wire)
			}
		}
	}
}

// readOnlyKinds are those that bodies can't have.
var readOnlyKinds = []kind{kindContent, kindReceipt, kindStructMap, kindRawObject}

// collect adds the types to the model, in the order of their documents, so that the
// output is always the same.
func (l *restLoader) collect() {
	for _, schema := range l.schemas.members() {
		if s, ok := l.structs[schema.key]; ok {
			l.model.structs = append(l.model.structs, s)
		}
		if e, ok := l.enums[schema.key]; ok {
			l.model.enums = append(l.model.enums, e)
		}
	}
	for _, schema := range l.events.schemas.members() {
		if s, ok := l.events.structs[schema.key]; ok {
			l.model.imported = append(l.model.imported, s)
		}
	}
}
