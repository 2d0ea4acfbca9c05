package main

import (
	"fmt"
	"go/format"
	"strconv"
	"strings"
)

// scalar describes a kind of field in Go: its type, the method of both
// payload.Decoder and payload.Encoder for it, and the format of the condition
// under which an expression of that type is zero.
type scalar struct{ goType, method, zero string }

var scalars = map[kind]scalar{
	kindString:    {"string", "String", `%s == ""`},
	kindEnum:      {"", "String", `%s == ""`},
	kindBool:      {"bool", "Bool", "!%s"},
	kindInt:       {"int", "Int", "%s == 0"},
	kindInt64:     {"int64", "Int64", "%s == 0"},
	kindFloat:     {"float64", "Float64", "%s == 0"},
	kindTime:      {"time.Time", "Time", "%s.IsZero()"},
	kindDuration:  {"time.Duration", "Duration", "%s == 0"},
	kindMap:       {"map[string]any", "AnyMap", "len(%s) == 0"},
	kindRaw:       {"json.RawMessage", "Raw", "len(%s) == 0"},
	kindRawObject: {"json.RawMessage", "RawObject", "len(%s) == 0"},
	kindReceipt:   {"Receipt", "", "%s == (Receipt{})"},
	kindContent:   {"Content", "", "%s == nil"},
	kindStruct:    {"", "", "%s.isZero()"},
	kindSlice:     {"", "", "len(%s) == 0"},
	kindStructMap: {"", "", "len(%s) == 0"},
	kindDate:      {"time.Time", "", "%s.IsZero()"},
}

// goCode returns the file of the event types.
func goCode(m *model) ([]byte, error) {
	var g printer
	g.line("%s", marker(specFile))
	g.line("")
	g.line("package crisp")
	g.line("")
	g.line("import (\n\"encoding/json\"\n\"time\"\n\n\"github.com/crisp-go/crisp/internal/payload\"\n)")
	g.catalog(m)
	for _, ev := range m.events {
		g.event(ev)
	}
	for _, s := range m.structs {
		g.structType(s)
	}
	for _, e := range m.enums {
		g.enum(e)
	}
	return format.Source(g.buf.Bytes())
}

func (g *printer) catalog(m *model) {
	g.line("")
	g.comment("catalog lists the documented events.")
	g.line("var catalog = [...]catalogEntry{")
	for _, ev := range m.events {
		g.line("{info: EventInfo{")
		g.line("Name: %q, GoType: %q, RTMOnly: %t,", ev.name, ev.payload.name, ev.rtmOnly)
		g.line("Tiers: []Tier{%s}, Scope: %q,", tierConstants(ev.tiers), ev.scope)
		g.line("},")
		if len(ev.aliases) > 0 {
			g.line("aliases: []string{%s},", quoted(ev.aliases))
		}
		g.line("make: func() Event { return new(%s) }},", ev.payload.name)
	}
	g.line("}")
	g.line("")
	g.comment("catalogIndex returns the index in the catalog of the event with that name or alias, or -1.")
	g.line("func catalogIndex(name string) int {")
	g.line("switch name {")
	for i, ev := range m.events {
		names := append([]string{ev.name}, ev.aliases...)
		g.line("case %s:\nreturn %d", quoted(names), i)
	}
	g.line("}\nreturn -1\n}")
}

func tierConstants(tiers []string) string {
	names := make([]string, len(tiers))
	for i, t := range tiers {
		names[i] = "Tier" + camel(t)
	}
	return strings.Join(names, ", ")
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, strconv.Quote(name))
	}
	return strings.Join(all, ", ")
}

func (g *printer) event(ev *event) {
	s := ev.payload
	g.line("")
	g.comment(s.name+" "+ev.summary, ev.description, onTheWire(ev))
	g.line("type %s struct {", s.name)
	g.line("Meta `json:\"-\"`\n")
	g.fields(s)
	if len(ev.aliases) > 0 {
		g.line("\nalias string // the name it was received as, if not its usual one")
	}
	g.line("}")
	g.eventName(ev)
	g.decoder(s, "")
	g.encoder(s)
	g.line("\nfunc (v *%s) origin() (websiteID string, at time.Time) {", s.name)
	g.line("return %s, %s\n}", websiteOf(s), timeOf(s))
	if s.field("session_id") != nil {
		g.line("")
		g.comment("Session returns a reference to the conversation that the event belongs to.")
		g.line("func (v *%s) Session() SessionRef { return sessionRef(v, v.SessionID) }", s.name)
	}
	g.marshalers(s, "unmarshalEvent")
}

// onTheWire describes in words what the catalog says of an event.
func onTheWire(ev *event) string {
	text := "Its name on the wire is " + ev.name
	for _, alias := range ev.aliases {
		text += ", or " + alias
	}
	if ev.rtmOnly {
		text += "; it is never sent by web hook"
	}
	text += ". Token tiers: " + strings.Join(ev.tiers, ", ") + "."
	if ev.scope != "" {
		text += " Scope: " + ev.scope + "."
	}
	return text
}

func (g *printer) eventName(ev *event) {
	g.line("")
	if len(ev.aliases) == 0 {
		g.comment(fmt.Sprintf("EventName returns %q.", ev.name))
		g.line("func (*%s) EventName() string { return %q }", ev.payload.name, ev.name)
		return
	}
	g.comment(fmt.Sprintf("EventName returns %q, or the alias that the event was received as.", ev.name))
	g.line("func (v *%s) EventName() string {", ev.payload.name)
	g.line("if v.alias != \"\" {\nreturn v.alias\n}\nreturn %q\n}", ev.name)
	g.line("\nfunc (v *%s) setAlias(name string) { v.alias = name }", ev.payload.name)
}

// websiteOf returns the Go expression for the website that an event belongs to.
func websiteOf(s *structType) string {
	if s.field("website_id") != nil {
		return "v.WebsiteID"
	}
	if resource := s.field("resource"); resource != nil && resource.typ.kind == kindStruct {
		return "v.Resource.websiteID()" // a resource may be a website
	}
	return `""`
}

// timeOf returns the Go expression for the time that an event says it is of.
func timeOf(s *structType) string {
	if f := s.field("timestamp"); f != nil && f.typ.kind == kindTime {
		return "v." + f.name
	}
	return "time.Time{}"
}

func (g *printer) structType(s *structType) {
	g.line("")
	doc := []string{s.name + " is " + lowerFirst(s.doc)}
	if !s.plain() {
		doc = append(doc, "Don't embed it in a struct of your own that is read from JSON: give the field a name.")
	}
	g.comment(doc...)
	g.line("type %s struct {", s.name)
	g.fields(s)
	g.line("}")
	g.decoder(s, ", p payload.Presence")
	g.encoder(s)
	if s.mayBeZero {
		g.line("\nfunc (v *%s) isZero() bool { return %s }", s.name, zeroStruct(s))
	}
	if !s.plain() {
		g.marshalers(s, "unmarshalValue")
	}
}

func zeroStruct(s *structType) string {
	if s.comparable() {
		return "*v == (" + s.name + "{})"
	}
	conditions := make([]string, len(s.fields))
	for i, f := range s.fields {
		conditions[i] = f.isZero()
	}
	return strings.Join(conditions, " &&\n")
}

func (f *field) isZero() string {
	return fmt.Sprintf(scalars[f.typ.kind].zero, "v."+f.name)
}

func (g *printer) fields(s *structType) {
	for _, f := range s.fields {
		tag := f.wire
		if f.presence == optional {
			tag += ",omitzero"
		}
		g.comment(f.goDoc())
		g.line("%s %s `json:%q`", f.name, f.typ, tag)
	}
}

// wireUnits are the units of durations on the wire, in words.
var wireUnits = map[string]string{
	"time.Second": "seconds",
	"time.Minute": "minutes",
}

// goDoc returns the spec's description of a field in terms of Go, with what the
// Go type doesn't show of the form on the wire.
func (f *field) goDoc() string {
	switch doc := f.doc; f.typ.kind {
	case kindTime:
		return doc + " On the wire: milliseconds since 1970."
	case kindDuration:
		unit := wireUnits[f.typ.unit]
		return strings.Replace(doc, ", in "+unit, "", 1) + " On the wire: " + unit + "."
	case kindMap:
		return doc + " Numbers are float64; the event's Meta.Raw has them exactly."
	case kindStruct:
		return strings.Replace(doc, "null when", "zero when", 1)
	default:
		return strings.NewReplacer("null when", "empty when", "null for", "empty for").Replace(doc)
	}
}

// notToEmbed is the comment on methods that an embedding struct would inherit.
const notToEmbed = "A struct that embeds the type has the method, too, and none of its own fields in JSON: give the field a name."

func (g *printer) marshalers(s *structType, unmarshal string) {
	g.line("")
	g.comment("MarshalJSON encodes v in the form that Crisp sends.", notToEmbed)
	g.line("func (v %s) MarshalJSON() ([]byte, error) { return marshal(&v) }", s.name)
	g.line("")
	g.comment("UnmarshalJSON decodes v from the form that Crisp sends.", notToEmbed)
	g.line("func (v *%[1]s) UnmarshalJSON(data []byte) error {\n*v = %[1]s{}\nreturn %[2]s(v, data)\n}", s.name, unmarshal)
}

// decoder writes the method that decodes a struct, which has to be zero.
func (g *printer) decoder(s *structType, params string) {
	presence := "payload.Required"
	if s.home == "" {
		g.line("\nfunc (v *%s) decode(d *payload.Decoder%s) {", s.name, params)
	} else {
		g.line("\nfunc %s(v *%s%s, d *payload.Decoder%s) {", s.decodeFunc(), s.home, s.name, params)
	}
	if params != "" {
		presence = "p"
	}
	content := contentOf(s)
	if content != nil {
		g.line("var content payload.Place")
	}
	g.line("if !d.Object(%s) {\nreturn\n}", presence)
	g.line("for key, ok := d.Next(); ok; key, ok = d.Next() {\nswitch key {")
	for _, f := range s.fields {
		g.line("case %q:", f.wire)
		if f == content {
			g.line("d.Later(&content)")
			continue
		}
		g.decodeField(f)
	}
	g.line("default:\nd.Skip()\n}\n}")
	if content != nil {
		g.line("v.%s = decodeContent(d, &content, %s)", content.name, contentType(s))
	}
	g.line("}")
}

// decodeFunc returns the Go expression for the function that decodes a struct: a
// method, where the struct is of the same package.
func (s *structType) decodeFunc() string {
	if s.home != "" {
		return "decode" + s.name
	}
	return "(*" + s.name + ").decode"
}

// contentOf returns the field for the content of a message, nil if there is none.
// It is decoded last, because the member that says its type may follow it.
func contentOf(s *structType) *field {
	for _, f := range s.fields {
		if f.typ.kind == kindContent {
			return f
		}
	}
	return nil
}

// contentType returns the Go expression for the type of a message's content,
// which is empty if the message has none.
func contentType(s *structType) string {
	if s.field("type") == nil {
		return `""`
	}
	return "v.Type"
}

func (g *printer) decodeField(f *field) {
	target, presence := "v."+f.name, f.presence
	if f.member != "" {
		g.line("%s = decodeMember(d, %q)", target, f.member)
		return
	}
	if f.wrapKey != "" {
		g.line("%s = %s", target, zeroValue(f.typ))
		g.line("for w := d.Wrapped(%q); w.Next(); {", f.wrapKey)
		g.line("%s", decodeStatement(f.typ, target, presence))
		g.line("}")
		return
	}
	g.line("%s", decodeStatement(f.typ, target, presence))
}

func zeroValue(t goType) string {
	if t.kind == kindSlice {
		return "nil"
	}
	return "0"
}

func decodeStatement(t goType, target string, p presence) string {
	method := scalars[t.kind].method
	switch t.kind {
	case kindEnum:
		return fmt.Sprintf("%s = %s(d.String(%s))", target, t, p)
	case kindDuration:
		return fmt.Sprintf("%s = d.Duration(%s, %s)", target, p, t.unit)
	case kindRaw:
		return fmt.Sprintf("%s = d.Raw()", target)
	case kindStruct:
		zero := fmt.Sprintf("%s = %s{}\n", target, t) // of members of the same name only the last counts
		if t.ref.home != "" {
			return zero + fmt.Sprintf("%s(&%s, d, %s)", t.ref.decodeFunc(), target, p)
		}
		return zero + fmt.Sprintf("%s.decode(d, %s)", target, p)
	case kindReceipt:
		return fmt.Sprintf("%s.decode(d, %s)", target, p)
	case kindSlice:
		return decodeSlice(*t.elem, target, p)
	case kindStructMap:
		return fmt.Sprintf("%s = payload.Map(d, %s, %s)", target, p, t.elem.ref.decodeFunc())
	default:
		return fmt.Sprintf("%s = d.%s(%s)", target, method, p)
	}
}

func decodeSlice(elem goType, target string, p presence) string {
	if elem.kind == kindStruct {
		return fmt.Sprintf("%s = payload.Slice(d, %s, %s)", target, p, elem.ref.decodeFunc())
	}
	return fmt.Sprintf("%s = d.%ss(%s)", target, scalars[elem.kind].method, p)
}

func (g *printer) encoder(s *structType) {
	g.line("\nfunc (v *%s) encode(e *payload.Encoder) {", s.name)
	g.line("e.Begin()")
	for _, f := range s.fields {
		g.encodeField(f)
	}
	g.line("e.End()\n}")
}

func (g *printer) encodeField(f *field) {
	if !f.wrap {
		g.line("%s", encodeStatement(f.typ, f.wire, "v."+f.name, f.presence, f.isZero()))
		return
	}
	g.line("if e.Member(%q, %s, %s) {\ne.Begin()", f.wire, f.isZero(), f.presence)
	g.line("%s", encodeStatement(f.typ, f.wrapKey, "v."+f.name, required, ""))
	g.line("e.End()\n}")
}

func encodeStatement(t goType, key, source string, p presence, isZero string) string {
	method := scalars[t.kind].method
	switch t.kind {
	case kindEnum:
		return fmt.Sprintf("e.String(%q, string(%s), %s)", key, source, p)
	case kindDuration:
		return fmt.Sprintf("e.Duration(%q, %s, %s, %s)", key, source, t.unit, p)
	case kindContent:
		return fmt.Sprintf("encodeContent(e, %q, %s, %s)", key, source, p)
	case kindReceipt, kindStruct:
		if p == required {
			return fmt.Sprintf("e.Key(%q)\n%s.encode(e)", key, source)
		}
		return fmt.Sprintf("if e.Member(%q, %s, %s) {\n%s.encode(e)\n}", key, isZero, p, source)
	case kindSlice:
		return encodeSlice(*t.elem, key, source, p)
	case kindStructMap:
		return fmt.Sprintf("payload.EncodeMap(e, %q, %s, %s, (*%s).encode)", key, source, p, t.elem.ref.name)
	default:
		return fmt.Sprintf("e.%s(%q, %s, %s)", method, key, source, p)
	}
}

func encodeSlice(elem goType, key, source string, p presence) string {
	if elem.kind == kindStruct {
		return fmt.Sprintf("payload.EncodeSlice(e, %q, %s, %s, (*%s).encode)", key, source, p, elem.ref.name)
	}
	return fmt.Sprintf("e.%ss(%q, %s, %s)", scalars[elem.kind].method, key, source, p)
}

func (g *printer) enum(e *enumType) {
	g.line("")
	g.comment(e.name+" is "+lowerFirst(e.doc), "Values other than the constants are kept as received.")
	g.line("type %s string", e.name)
	g.line("")
	g.comment("The known values of " + e.name + ".")
	g.line("const (")
	for _, v := range e.values {
		g.line("%s%s %s = %q", e.name, camel(v), e.name, v)
	}
	g.line(")")
}
