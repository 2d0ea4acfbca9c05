package main

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// loader resolves the schemas that the events or the routes refer to.
type loader struct {
	schemas value
	structs map[string]*structType
	enums   map[string]*enumType
	// home is the package of the types, with a dot, where it is not that of the output.
	home string
	// events is the loader of the document of the events, in which the routes' may
	// refer to schemas.
	events *loader
	// inCrisp means that the types of the routes are those of package crisp.
	inCrisp bool
}

// load reads the spec. The error has every mistake in it, and everything that
// the generator doesn't understand.
func load(spec []byte) (*model, error) {
	doc, err := parse(specFile, spec)
	if err != nil {
		return nil, err
	}
	components, ok := doc.need("components")
	if !ok {
		return nil, doc.err()
	}
	messages, hasMessages := components.need("messages")
	schemas, hasSchemas := components.need("schemas")
	if !hasMessages || !hasSchemas {
		return nil, doc.err()
	}
	l := &loader{schemas: schemas, structs: map[string]*structType{}, enums: map[string]*enumType{}}
	m := &model{schemas: schemas}
	for _, msg := range messages.members() {
		if _, ok := msg.get("x-crisp-tiers"); ok {
			m.events = append(m.events, l.event(msg))
		}
	}
	if len(m.events) == 0 {
		messages.fail("no message has x-crisp-tiers: there are no events")
	}
	checkNames(messages, m.events)
	l.collect(m)
	return m, doc.err()
}

// collect adds the types that the events need to the model, in the spec's order,
// so that the output is always the same.
func (l *loader) collect(m *model) {
	for _, schema := range l.schemas.members() {
		if s, ok := l.structs[schema.key]; ok && !isPayload(m.events, s) {
			m.structs = append(m.structs, s)
		}
		if e, ok := l.enums[schema.key]; ok {
			m.enums = append(m.enums, e)
		}
	}
}

func isPayload(events []*event, s *structType) bool {
	return slices.ContainsFunc(events, func(ev *event) bool { return ev.payload == s })
}

// checkNames reports names on the wire that two events share.
func checkNames(messages value, events []*event) {
	seen := map[string]string{}
	for _, ev := range events {
		if ev.payload == nil {
			continue // reported already
		}
		for _, name := range append([]string{ev.name}, ev.aliases...) {
			if other, ok := seen[name]; ok {
				messages.fail("%s and %s are both named %q", other, ev.payload.name, name)
			}
			seen[name] = ev.payload.name
		}
	}
}

func (l *loader) event(msg member) *event {
	msg.only("name", "title", "summary", "description", "contentType", "tags", "payload", "examples",
		"x-crisp-rtm-only", "x-crisp-tiers", "x-crisp-scope", "x-crisp-aliases")
	if !exported(msg.key) {
		msg.fail("the key is no exported Go name")
	}
	ev := &event{
		name:        msg.needText("name"),
		aliases:     msg.textsOf("x-crisp-aliases"),
		summary:     msg.needText("summary"),
		description: msg.textOf("description"),
		tiers:       tiers(msg.value),
		scope:       msg.textOf("x-crisp-scope"),
	}
	ev.namespace, _, _ = strings.Cut(ev.name, ":")
	if flag, ok := msg.need("x-crisp-rtm-only"); ok {
		ev.rtmOnly = flag.boolean()
	}
	if payload, ok := msg.need("payload"); ok {
		ev.payload = l.payload(payload, msg.key)
	}
	if ev.payload != nil {
		ev.sample = sampleOf(msg.value, ev.payload)
	}
	return ev
}

func tiers(msg value) []string {
	all := msg.textsOf("x-crisp-tiers")
	for _, t := range all {
		if !slices.Contains([]string{"plugin", "user", "website"}, t) {
			msg.fail("unknown tier %q", t)
		}
	}
	return all
}

// reserved are the names of an event's methods and of Meta's fields, which no
// field may have. WebsiteID is not among them: in both it means the same.
var reserved = []string{
	"Meta", "Source", "Time", "Delivery", "Raw", "Problems",
	"EventName", "EventMeta", "Session", "MarshalJSON", "UnmarshalJSON",
}

func (l *loader) payload(v value, goName string) *structType {
	ref, ok := v.need("$ref")
	if !ok {
		return nil
	}
	name := refName(ref)
	if name != goName {
		ref.fail("a payload's schema has the name of its message, %s", goName)
		return nil
	}
	s := l.structNamed(ref, name)
	if s == nil {
		return nil
	}
	for _, f := range s.fields {
		if slices.Contains(reserved, f.name) {
			ref.fail("the field %s of %s would hide that of every event: give it an x-go-name", f.name, goName)
		}
	}
	return s
}

const schemaPrefix = "#/components/schemas/"

func refName(ref value) string {
	name, ok := strings.CutPrefix(ref.text(), schemaPrefix)
	if !ok {
		ref.fail("wanted a reference to %s…", schemaPrefix)
	}
	return name
}

func (l *loader) structNamed(ref value, name string) *structType {
	if s, ok := l.structs[name]; ok {
		return s
	}
	schema, ok := l.schemas.get(name)
	if !ok {
		ref.fail("there is no schema %s", name)
		return nil
	}
	schema.only("type", "description", "required", "properties", "x-go-input", "x-go-crisp")
	if jsonType(schema) != "object" {
		schema.fail("wanted type: object")
		return nil
	}
	s := &structType{name: name, home: l.home, doc: schema.needText("description")}
	if l.inCrisp {
		s.name = schema.needText("x-go-crisp")
	}
	l.structs[name] = s
	l.fields(s, schema)
	return s
}

func (l *loader) fields(s *structType, schema value) {
	requiredNames := schema.textsOf("required")
	if properties, ok := schema.need("properties"); ok {
		for _, property := range properties.members() {
			needed := slices.Contains(requiredNames, property.key)
			if f := l.field(property, needed); f != nil {
				s.fields = append(s.fields, f)
			}
		}
	}
	for _, name := range requiredNames {
		if s.field(name) == nil {
			schema.fail("required has %s, which is no property", name)
		}
	}
	for i, f := range s.fields {
		for _, other := range s.fields[:i] {
			if other.name == f.name {
				schema.fail("%s and %s have the same Go name %s", other.wire, f.wire, f.name)
			}
		}
	}
}

func (l *loader) field(property member, needed bool) *field {
	f := &field{wire: property.key, name: camel(property.key), doc: l.fieldDoc(property)}
	if readOnly, ok := property.get("readOnly"); ok {
		f.readOnly = readOnly.boolean()
	}
	_, f.secret = property.get("x-crisp-secret")
	if override, ok := property.get("x-go-name"); ok {
		if override.text() == f.name {
			override.fail("needless: the derived name is the same")
		}
		f.name = override.text()
	}
	if !exported(f.name) {
		property.fail("%q is no exported Go name", f.name)
	}
	schema, null := l.orNull(property.value)
	f.presence = l.presenceOf(schema, needed)
	if null && needed {
		f.presence = nullable
	}
	var ok bool
	_, wrapped := property.get("x-crisp-wrapped")
	member, hasMember := property.get("x-go-member")
	switch {
	case wrapped:
		ok = l.wrapped(f, property.value)
	case hasMember && l.inCrisp:
		ok = l.memberOf(f, schema, member)
	default:
		f.typ, ok = l.typeOf(schema)
	}
	if !ok {
		return nil
	}
	if f.typ.kind == kindStruct && f.presence != required {
		f.typ.ref.mayBeZero = true
	}
	return f
}

// orNull returns the schema of a property of a route without the alternative that it is
// null, if that is the second of two.
func (l *loader) orNull(property value) (schema value, null bool) {
	forms, ok := property.get("anyOf")
	if !ok || l.events == nil {
		return property, false
	}
	all := forms.list()
	if len(all) != 2 || !slices.Equal(typeNames(all[1]), []string{"null"}) {
		return property, false
	}
	property.only("anyOf", "description", "readOnly")
	return all[0], true
}

// fieldDoc returns the description of a property, which only the routes' may lack.
func (l *loader) fieldDoc(property member) string {
	if l.events != nil {
		return property.textOf("description")
	}
	return property.needText("description")
}

func (l *loader) presenceOf(v value, needed bool) presence {
	if ref, ok := v.get("$ref"); ok && !l.isEvents(ref) {
		if schema, ok := l.schemas.get(refName(ref)); ok {
			v = schema
		}
	}
	switch {
	case !needed:
		return optional
	case slices.Contains(typeNames(v), "null"):
		return nullable
	default:
		return required
	}
}

// wrapped reads the schema of a value that has two forms, bare and wrapped in an
// object, into the field.
func (l *loader) wrapped(f *field, v value) bool {
	v.only("description", "x-go-name", "x-crisp-wrapped", "x-crisp-form", "anyOf")
	f.wrapKey = v.textOf("x-crisp-wrapped")
	switch form := v.needText("x-crisp-form"); form {
	case "bare":
	case "wrapped":
		f.wrap = true
	default:
		v.fail("x-crisp-form is bare or wrapped, not %q", form)
	}
	forms, ok := v.need("anyOf")
	if !ok || len(forms.list()) != 2 {
		v.fail("anyOf has to list the bare form and the wrapped one")
		return false
	}
	inner, ok := forms.list()[1].get("properties")
	if ok {
		inner, ok = inner.get(f.wrapKey)
	}
	if !ok {
		v.fail("the wrapped form has no property %s", f.wrapKey)
		return false
	}
	bare, ok := l.typeOf(forms.list()[0])
	wrapped, wrappedOK := l.typeOf(inner)
	if !ok || !wrappedOK {
		return false
	}
	if bare.kind == kindStruct || bare.String() != wrapped.String() {
		v.fail("the bare form (%s) and the wrapped one (%s) have to be the same, and no object", bare, wrapped)
		return false
	}
	f.typ = bare
	return true
}

// memberOf makes a field of type text for an object of which only one member matters.
func (l *loader) memberOf(f *field, object, name value) bool {
	ref, ok := object.need("$ref")
	if !ok {
		return false
	}
	schema, ok := l.schemas.need(refName(ref))
	if !ok {
		return false
	}
	properties, ok := schema.need("properties")
	if !ok {
		return false
	}
	text, ok := properties.get(name.text())
	if !ok || jsonType(text) != "string" {
		name.fail("%s has no text %s", refName(ref), name.text())
		return false
	}
	f.typ, f.member = goType{kind: kindString}, name.text()
	return true
}

// typeNames returns the JSON types of a schema, including null.
func typeNames(v value) []string {
	typ, ok := v.get("type")
	if !ok {
		return nil
	}
	if typ.node.Kind == yaml.SequenceNode {
		return typ.texts()
	}
	return []string{typ.text()}
}

// jsonType returns the JSON type of a schema apart from null. If there are several, it
// returns them joined, which is the name of no type.
func jsonType(v value) string {
	names := slices.DeleteFunc(typeNames(v), func(name string) bool { return name == "null" })
	return strings.Join(names, " or ")
}

// typeOf returns the Go type of an inline schema or a reference.
func (l *loader) typeOf(v value) (goType, bool) {
	if ref, ok := v.get("$ref"); ok {
		v.only("$ref", "description", "x-go-name", "x-go-member", "readOnly")
		return l.refType(ref)
	}
	if special, ok := v.get("x-crisp-type"); ok {
		return l.specialType(v, special)
	}
	v.only("type", "format", "items", "description", "x-go-name", "x-crisp-time", "x-crisp-duration", "x-crisp-secret", "readOnly")
	if unit, ok := v.get("x-crisp-duration"); ok {
		return durationType(unit, jsonType(v))
	}
	if unit, ok := v.get("x-crisp-time"); ok {
		return timeType(unit, jsonType(v))
	}
	return l.plainType(v, jsonType(v))
}

// eventsPrefix begins a reference to the document of the events, which is beside that
// of the routes.
const eventsPrefix = "asyncapi.yaml"

func (l *loader) isEvents(ref value) bool {
	return l.events != nil && strings.HasPrefix(ref.text(), eventsPrefix)
}

func (l *loader) refType(ref value) (goType, bool) {
	if l.isEvents(ref) {
		node := *ref.node
		node.Value = strings.TrimPrefix(node.Value, eventsPrefix)
		ref.node = &node
		return l.events.refType(ref)
	}
	name := refName(ref)
	if schema, ok := l.schemas.get(name); ok && jsonType(schema) == "string" {
		return goType{kind: kindEnum, enum: l.enumNamed(schema, name)}, true
	}
	s := l.structNamed(ref, name)
	return goType{kind: kindStruct, ref: s}, s != nil
}

func (l *loader) enumNamed(schema value, name string) *enumType {
	if e, ok := l.enums[name]; ok {
		return e
	}
	schema.only("type", "description", "enum")
	e := &enumType{name: name, home: l.home, doc: schema.needText("description")}
	if values, ok := schema.need("enum"); ok {
		e.values = values.texts()
	}
	l.enums[name] = e
	return e
}

func (l *loader) specialType(v, special value) (goType, bool) {
	v.only("type", "x-crisp-type", "description", "x-go-name", "anyOf", "additionalProperties", "x-crisp-secret")
	types := jsonType(v)
	switch name := special.text(); {
	case name == "content":
		return goType{kind: kindContent}, l.contents(v)
	case name == "map" && types == "object":
		return l.mapType(v)
	case name == "raw" && types == "":
		return goType{kind: kindRaw}, true
	case name == "raw" && types == "object":
		return goType{kind: kindRawObject}, true
	case name == "receipt" && types == "string or boolean":
		return goType{kind: kindReceipt}, true
	default:
		special.fail("%q with type %q is not understood", name, types)
		return goType{}, false
	}
}

// mapType returns the type of an object whose properties are not known by name,
// but may all be of the same struct.
func (l *loader) mapType(v value) (goType, bool) {
	values, ok := v.get("additionalProperties")
	if !ok {
		return goType{kind: kindMap}, true
	}
	ref, ok := values.get("$ref")
	if !ok {
		return goType{kind: kindMap}, true
	}
	elem, ok := l.refType(ref)
	if ok && elem.kind != kindStruct {
		ref.fail("maps of %s are not supported", elem)
		return goType{}, false
	}
	return goType{kind: kindStructMap, elem: &elem}, ok
}

// contents resolves the contents that are objects, so that their types are
// generated. The choice among them by the message's type is written by hand.
func (l *loader) contents(v value) bool {
	forms, ok := v.need("anyOf")
	if !ok {
		return false
	}
	for _, form := range forms.list() {
		if ref, isRef := form.get("$ref"); isRef {
			ok = l.structNamed(ref, refName(ref)) != nil && ok
		}
	}
	return ok
}

func durationType(unit value, typ string) (goType, bool) {
	units := map[string]string{"s": "time.Second", "min": "time.Minute"}
	expression, ok := units[unit.text()]
	if !ok || typ != "number" && typ != "integer" {
		unit.fail("wanted a number of s or min, not %s of %q", typ, unit.text())
		return goType{}, false
	}
	return goType{kind: kindDuration, unit: expression}, true
}

func timeType(unit value, typ string) (goType, bool) {
	if unit.text() != "ms" || typ != "integer" {
		unit.fail("wanted an integer of ms, not %s of %q", typ, unit.text())
		return goType{}, false
	}
	return goType{kind: kindTime}, true
}

func (l *loader) plainType(v value, typ string) (goType, bool) {
	format := v.textOf("format")
	switch {
	case typ == "integer" && format == "int64":
		return goType{kind: kindInt64}, true
	case typ == "string" && format == "date-time" && l.events != nil:
		return goType{kind: kindDate}, true
	case format != "":
		v.fail("format %q of type %q is not understood", format, typ)
		return goType{}, false
	case typ == "string":
		return goType{kind: kindString}, true
	case typ == "boolean":
		return goType{kind: kindBool}, true
	case typ == "integer":
		return goType{kind: kindInt}, true
	case typ == "number":
		return goType{kind: kindFloat}, true
	case typ == "array":
		if items, ok := v.need("items"); ok {
			return l.sliceOf(items)
		}
		return goType{}, false
	default:
		v.fail("type %q is not understood (objects need a schema of their own)", typ)
		return goType{}, false
	}
}

func (l *loader) sliceOf(items value) (goType, bool) {
	elem, ok := l.typeOf(items)
	if !ok {
		return goType{}, false
	}
	switch elem.kind {
	case kindString, kindInt64, kindStruct:
		return goType{kind: kindSlice, elem: &elem}, true
	default:
		items.fail("arrays of %s are not supported", elem)
		return goType{}, false
	}
}

// String returns the Go source of the type.
func (t goType) String() string {
	switch t.kind {
	case kindEnum:
		return t.enum.home + t.enum.name
	case kindStruct:
		return t.ref.home + t.ref.name
	case kindSlice:
		return "[]" + t.elem.String()
	case kindStructMap:
		return "map[string]" + t.elem.String()
	default:
		return scalars[t.kind].goType
	}
}
