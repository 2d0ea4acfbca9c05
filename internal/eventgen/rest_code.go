package main

import (
	"bytes"
	"fmt"
	"go/format"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	restSpecFile = "spec/openapi.yaml"
	restFolder   = "rest/"
)

// generateREST returns the content of the files of package rest, of its documentation
// and of what package crisp reads of REST, by path below the root folder.
func generateREST(spec, eventSpec []byte) (map[string][]byte, error) {
	m, err := loadREST(spec, eventSpec)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"docs/rest.md": routeTable(m)}
	u := newUsage(m)
	for _, s := range m.services {
		g := restPrinter{usage: u}
		g.service(m, s)
		files[restFolder+snake(s.name)+"_gen.go"] = g.file()
	}
	shared := restPrinter{usage: u}
	shared.sharedTypes(m)
	files[restFolder+"types_gen.go"] = shared.file()
	catalog := restPrinter{usage: u}
	catalog.catalog(m)
	files[restFolder+"routes_gen.go"] = catalog.file()
	for name, text := range files {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		if files[name], err = format.Source(text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	structs, err := loadCrispData(spec, eventSpec)
	if err != nil {
		return nil, err
	}
	if files[crispDataFile], err = crispData(structs); err != nil {
		return nil, err
	}
	files[restExamplesFile], err = restExamples(spec, eventSpec)
	return files, err
}

// snake returns plan_service for PlanService.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// restPrinter writes a file of package rest.
type restPrinter struct {
	printer
	usage *usage
}

// file returns the file, with the imports that it needs.
func (g *restPrinter) file() []byte {
	var head printer
	head.line("%s", marker(restSpecFile))
	head.line("")
	head.line("package rest")
	head.line("")
	head.line("import (")
	text := g.buf.Bytes()
	code := withoutComments(text)
	for _, path := range []string{"context", "encoding/json", "fmt", "iter", "log/slog", "net/http", "net/url", "time"} {
		if bytes.Contains(code, []byte(path[strings.LastIndex(path, "/")+1:]+".")) {
			head.line("%q", path)
		}
	}
	head.line("")
	if bytes.Contains(code, []byte("crisp.")) {
		head.line("%q", "github.com/crisp-go/crisp")
	}
	if bytes.Contains(code, []byte("payload.")) {
		head.line("%q", "github.com/crisp-go/crisp/internal/payload")
	}
	head.line(")")
	return append(head.buf.Bytes(), text...)
}

// withoutComments returns code without its comments and texts.
func withoutComments(code []byte) []byte {
	var left [][]byte
	for line := range bytes.Lines(code) {
		if !bytes.HasPrefix(line, []byte("//")) {
			left = append(left, texts.ReplaceAll(line, nil))
		}
	}
	return bytes.Join(left, nil)
}

var texts = regexp.MustCompile(`"[^"]*"|` + "`[^`]*`")

func (g *restPrinter) service(m *restModel, s *service) {
	g.line("")
	g.comment(s.name+"Service makes the calls for "+lowerFirst(s.doc), "They begin with "+s.reach+".")
	g.line("type %sService struct{ *place }", s.name)
	for _, r := range m.routes {
		if r.service != s {
			continue
		}
		for _, c := range r.calls {
			g.method(r, c)
		}
	}
	g.types(m, func(by map[*service]bool) bool { return len(by) == 1 && by[s] })
}

// types writes the types for answers and for bodies whose services are wanted.
func (g *restPrinter) types(m *restModel, wanted func(by map[*service]bool) bool) {
	for _, s := range m.structs {
		answers, bodies := g.usage.answers[s], g.usage.bodies[s]
		if answers != nil && wanted(answers) {
			g.answerType(s)
		}
		if bodies != nil && wanted(bodies) {
			g.bodyType(s)
		}
	}
}

func (g *restPrinter) sharedTypes(m *restModel) {
	g.types(m, func(by map[*service]bool) bool { return len(by) > 1 })
	for _, e := range m.enums {
		g.enum(e)
	}
	for _, s := range m.imported {
		if g.usage.answers[s] != nil {
			g.decoder(s, ", p payload.Presence")
		}
	}
}

// ---- Methods -----------------------------------------------------------------

func (g *restPrinter) method(r *route, c *restCall) {
	if c.query != nil {
		g.queryType(r, c)
	}
	g.line("")
	g.comment(c.name+" "+r.summary, r.notes, routeDoc(r))
	g.line("func (s *%sService) %s(%s) %s {", r.service.name, c.name, g.parameters(c), g.results(r, c))
	g.line("c := s.call(http.Method%s, %s, %q%s)", camel(strings.ToLower(r.method)), tierSet(r.tiers), r.path, g.pathValues(c))
	g.queryValues(c)
	g.sendBody(c)
	g.line("%s\n}", returnStatement(r, c))
}

// routeDoc describes the route in words.
func routeDoc(r *route) string {
	tiers := "Crisp does not say which."
	if len(r.tiers) > 0 {
		tiers = strings.Join(r.tiers, ", ") + "."
	}
	return "The route is " + r.method + " " + r.path + ". Token tiers: " + tiers
}

func tierSet(tiers []string) string {
	if len(tiers) == 0 {
		return "anyTier"
	}
	return strings.Join(tiers, "|")
}

func (g *restPrinter) parameters(c *restCall) string {
	all := []string{"ctx context.Context"}
	for _, a := range c.args {
		all = append(all, a.name+" "+g.argumentType(a))
	}
	if c.query != nil {
		all = append(all, "query "+c.query.name)
	}
	return strings.Join(all, ", ")
}

func (g *restPrinter) argumentType(a argument) string {
	switch {
	case a.body != nil && a.list:
		return "[]" + g.usage.inputName(a.body)
	case a.body != nil:
		return g.usage.inputName(a.body)
	case a.typ.kind == kindRaw:
		return "any"
	default:
		return a.typ.String()
	}
}

func (g *restPrinter) pathValues(c *restCall) string {
	values := ""
	for _, a := range c.args {
		if a.kind == argPath {
			values += ", " + pathValue(a)
		}
	}
	return values
}

func pathValue(a argument) string {
	switch a.typ.kind {
	case kindEnum:
		return "string(" + a.name + ")"
	case kindInt64:
		return "number(" + a.name + ")"
	case kindInt:
		return "number(int64(" + a.name + "))"
	default:
		return a.name
	}
}

func (g *restPrinter) queryValues(c *restCall) {
	var needed []argument
	for _, a := range c.args {
		if a.kind == argQuery {
			needed = append(needed, a)
		}
	}
	switch {
	case len(needed) > 0:
		values := "make(params)"
		if c.query != nil {
			values = "query.params()"
		}
		g.line("q := %s", values)
		for _, a := range needed {
			g.line("q.%s(%q, %s)", paramMethod(a.typ), a.wire, a.name)
			g.line("c = c.needs(q, %q)", a.wire)
		}
		g.line("c = c.with(q)")
	case c.query != nil:
		g.line("c = c.with(query.params())")
	}
}

func paramMethod(t goType) string {
	switch t.kind {
	case kindBool:
		return "flag"
	case kindInt:
		return "integer"
	case kindFloat:
		return "number"
	case kindDate:
		return "time"
	default:
		return "text"
	}
}

func (g *restPrinter) queryType(r *route, c *restCall) {
	q := c.query
	g.line("")
	g.comment(q.name + " says what [" + r.service.name + "Service." + c.name + "] asks for; zero fields say nothing.")
	g.line("type %s struct {", q.name)
	for _, f := range q.fields {
		g.comment(f.doc)
		g.line("%s %s", f.name, g.queryFieldType(q, f))
	}
	g.line("}")
	g.line("\nfunc (q %s) params() params {\np := make(params)", q.name)
	for _, f := range q.fields {
		if q.filters[f] != nil {
			g.line("filters(p, %q, q.%s)", f.wire, f.name)
			continue
		}
		value := "q." + f.name
		if f.typ.kind == kindEnum {
			value = "string(" + value + ")"
		}
		g.line("p.%s(%q, %s)", paramMethod(f.typ), f.wire, value)
	}
	g.line("return p\n}")
}

func (g *restPrinter) queryFieldType(q *queryType, f *field) string {
	switch {
	case q.filters[f] != nil:
		return "[]" + g.usage.inputName(q.filters[f])
	case f.typ.kind == kindFloat:
		return "Opt[float64]"
	default:
		return f.typ.String()
	}
}

func (g *restPrinter) sendBody(c *restCall) {
	switch c.body {
	case bodyValue:
		g.line("c = c.send(%s)", c.args[len(c.args)-1].name)
	case bodyMembers:
		pairs := make([]string, len(c.members))
		for i, a := range c.members {
			pairs[i] = fmt.Sprintf("%q: %s", a.wire, a.name)
		}
		g.line("c = c.send(map[string]any{%s})", strings.Join(pairs, ", "))
	default:
	}
}

func (g *restPrinter) results(r *route, c *restCall) string {
	switch c.answer {
	case answerStatus:
		return "(bool, error)"
	case answerRaw:
		return "(json.RawMessage, error)"
	case answerMember:
		return "(" + goArgument(camel(c.member)) + " string, err error)"
	case answerMessage:
		return "(*crisp.ConversationMessage, error)"
	case answerObject:
		return "(*" + c.typ.String() + ", error)"
	case answerList:
		if r.paged {
			return "iter.Seq2[*" + c.typ.String() + ", error]"
		}
		return "([]*" + c.typ.String() + ", error)"
	case answerTexts:
		if r.paged {
			return "iter.Seq2[string, error]"
		}
		return "([]string, error)"
	default:
		return "error"
	}
}

func returnStatement(r *route, c *restCall) string {
	switch c.answer {
	case answerStatus:
		return "return c.exists(ctx)"
	case answerRaw:
		return "return c.raw(ctx)"
	case answerMember:
		return "return fetchText(ctx, c, " + strconv.Quote(c.member) + ")"
	case answerMessage:
		return "return fetchMessage(ctx, c)"
	case answerObject:
		return "return fetch[" + c.typ.String() + "](ctx, c)"
	case answerList:
		if r.paged {
			return "return pages[" + c.typ.String() + "](ctx, c)"
		}
		return "return fetchList[" + c.typ.String() + "](ctx, c)"
	case answerTexts:
		if r.paged {
			return "return textPages(ctx, c)"
		}
		return "return fetchTexts(ctx, c)"
	default:
		return "return c.do(ctx)"
	}
}

// ---- Types -------------------------------------------------------------------

func (g *restPrinter) answerType(s *structType) {
	g.line("")
	g.comment(s.name + " is " + lowerFirst(s.doc))
	g.line("type %s struct {", s.name)
	if g.usage.whole[s] {
		g.line("Answer `json:\"-\"`\n")
	}
	for _, f := range s.fields {
		if f.doc != "" {
			g.comment(strings.Replace(f.goDoc(), "the event's Meta.Raw", "the answer's Raw", 1))
		}
		g.line("%s %s `json:%q`", f.name, f.typ, f.wire+",omitzero")
	}
	g.line("}")
	if s.secretive() {
		g.printing(s.name, s.fields)
	}
	g.decoder(optionalFields(s), ", p payload.Presence")
	isID := func(f *field) bool { return f.typ.kind == kindString && strings.HasSuffix(f.wire, "_id") }
	if i := slices.IndexFunc(s.fields, isID); i >= 0 && g.usage.paged[s] {
		g.line("\nfunc (*%s) identifier() string { return %q }", s.name, s.fields[i].wire)
	}
}

// printing writes the methods that print a struct without its secrets.
func (g *restPrinter) printing(name string, fields []*field) {
	g.line("")
	g.comment("String returns all fields but the secret ones; so does all of fmt.")
	secrets := ""
	for _, f := range fields {
		if f.secret {
			secrets += fmt.Sprintf(", %q", f.name)
		}
	}
	g.line("func (v %s) String() string { return printed(v%s) }", name, secrets)
	g.line("")
	g.comment("Format writes String, for every verb.")
	g.line("func (v %s) Format(f fmt.State, _ rune) { fmt.Fprint(f, v.String()) }", name)
	g.line("")
	g.comment("LogValue is String, for log/slog.")
	g.line("func (v %s) LogValue() slog.Value { return slog.StringValue(v.String()) }", name)
}

// optionalFields returns the struct with all fields optional: of an answer, anything
// may be missing.
func optionalFields(s *structType) *structType {
	c := *s
	c.fields = slices.Clone(s.fields)
	for i, f := range c.fields {
		field := *f
		field.presence = optional
		c.fields[i] = &field
	}
	return &c
}

func (g *restPrinter) bodyType(s *structType) {
	g.line("")
	doc := s.name + " is " + lowerFirst(s.doc)
	if name := g.usage.inputName(s); name != s.name {
		doc = name + " is what can be written of " + s.name + ", " + lowerFirst(s.doc)
	}
	g.comment(doc)
	g.line("type %s struct {", g.usage.inputName(s))
	for _, f := range s.fields {
		if f.readOnly {
			continue
		}
		g.bodyFieldDoc(f)
		tag := f.wire
		if f.presence == optional {
			tag += ",omitzero"
		}
		g.line("%s %s `json:%q`", f.name, g.bodyFieldType(f), tag)
	}
	g.line("}")
	if s.secretive() {
		g.printing(g.usage.inputName(s), s.fields)
	}
}

// bodyFieldDoc writes the comment of a field of a body. It has what the Go type doesn't
// show, such as the unit in which a time is sent.
func (g *restPrinter) bodyFieldDoc(f *field) {
	switch {
	case f.doc == "":
	case f.typ.kind == kindMap:
		g.comment(f.doc)
	default:
		g.comment(f.goDoc())
	}
}

func (g *restPrinter) bodyFieldType(f *field) string {
	switch f.typ.kind {
	case kindStruct:
		if f.presence == required {
			return g.usage.inputName(f.typ.ref)
		}
		return "*" + g.usage.inputName(f.typ.ref)
	case kindSlice:
		if s := f.typ.structOf(); s != nil {
			return "[]" + g.usage.inputName(s)
		}
		return f.typ.String()
	case kindMap:
		return f.typ.String()
	case kindRaw:
		return "any"
	default: // a scalar
	}
	if f.presence == required {
		return f.typ.String()
	}
	return "Opt[" + f.typ.String() + "]"
}

// ---- The catalog ---------------------------------------------------------------

func (g *restPrinter) catalog(m *restModel) {
	g.line("")
	g.comment("Routes returns all routes of the REST API that are known.")
	g.line("func Routes() []Route {\nreturn []Route{")
	for _, r := range m.routes {
		g.line("{Method: http.Method%s, Path: %q, Tiers: (%s).list(), Call: %q, Package: %q},",
			camel(strings.ToLower(r.method)), r.path, tierSet(r.tiers), r.goCall(), r.goPackage())
	}
	g.line("}\n}")
}
