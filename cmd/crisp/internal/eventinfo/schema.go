package eventinfo

import (
	"encoding/json"
	"slices"
	"strings"
)

// draft identifies the version of JSON Schema.
const draft = "https://json-schema.org/draft/2020-12/schema"

// Schema returns the payload's JSON schema.
func (i Info) Schema() json.RawMessage {
	own := spec().Events[i.Name].Schema
	defs := make(map[string]json.RawMessage)
	collect(own, defs)
	payload := defs[own]
	delete(defs, own)
	var members map[string]json.RawMessage
	mustParse(payload, &members)
	whole := struct {
		Schema               string                     `json:"$schema"`
		Title                string                     `json:"title"`
		Description          json.RawMessage            `json:"description"`
		Type                 json.RawMessage            `json:"type"`
		Required             json.RawMessage            `json:"required,omitempty"`
		Properties           json.RawMessage            `json:"properties"`
		AdditionalProperties bool                       `json:"additionalProperties"`
		Defs                 map[string]json.RawMessage `json:"$defs,omitempty"`
	}{draft, i.Name, members["description"], members["type"], members["required"], members["properties"], true, defs}
	text, err := json.Marshal(whole)
	if err != nil {
		panic("the schema of " + i.Name + ": " + err.Error()) // a test makes them all
	}
	return text
}

// collect adds a schema, and those that it refers to.
func collect(name string, defs map[string]json.RawMessage) {
	if _, has := defs[name]; has {
		return
	}
	text := spec().Schemas[name]
	defs[name] = text
	for _, part := range strings.Split(string(text), `"$ref":"`+refPrefix)[1:] {
		ref, _, _ := strings.Cut(part, `"`)
		collect(ref, defs)
	}
}

const refPrefix = "#/$defs/"

// Field is a field of a payload.
type Field struct {
	Path        string `json:"path"` // such as user.nickname, or choices[].label
	Type        string `json:"type"` // such as "string or null"
	Required    bool   `json:"required"`
	Description string `json:"description,omitempty"`

	enum []any
}

// Enum returns the values that the field may have; nil for any of its type.
func (f Field) Enum() []any { return f.enum }

// deepest bounds how deep Fields looks, since a schema may refer to itself.
const deepest = 6

// Fields returns the fields of the payload, each followed by those within it.
func (i Info) Fields() []Field {
	var fields []Field
	read(spec().Events[i.Name].Schema).fields("", deepest, &fields)
	return fields
}

// schema holds the parts of a JSON schema that are used here.
type schema struct {
	Ref         string `json:"$ref"`
	Type        any    // a name, or several
	Format      string
	Description string
	Enum        []any
	AnyOf       []schema
	OneOf       []schema
	Items       *schema
	Required    []string
	Properties  ordered
	Additional  any `json:"additionalProperties"` // a schema, or whether there are any
}

// ordered are the properties of a schema in their order.
type ordered []property

type property struct {
	name string
	schema
}

// UnmarshalJSON keeps the order of the members.
func (o *ordered) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var p property
		p.name, _ = name.(string)
		if err := decoder.Decode(&p.schema); err != nil {
			return err
		}
		*o = append(*o, p)
	}
	return nil
}

func read(name string) schema {
	var s schema
	mustParse(spec().Schemas[name], &s)
	return s
}

func mustParse(text []byte, into any) {
	if err := json.Unmarshal(text, into); err != nil {
		panic("a schema of the events: " + err.Error()) // they were generated, and tests read them
	}
}

// resolved returns the schema that a reference leads to, with its own description.
func (s schema) resolved() schema {
	if s.Ref == "" {
		return s
	}
	target := read(strings.TrimPrefix(s.Ref, refPrefix))
	if s.Description != "" {
		target.Description = s.Description
	}
	return target
}

// fields adds the fields of an object.
func (s schema) fields(prefix string, depth int, into *[]Field) {
	if depth == 0 {
		return
	}
	for _, p := range s.Properties {
		of := p.resolved()
		path := prefix + p.name
		*into = append(*into, Field{path, of.kind(), slices.Contains(s.Required, p.name), of.Description, of.Enum})
		of.object().fields(path+".", depth-1, into)
		if of.Items != nil {
			of.Items.resolved().fields(path+"[].", depth-1, into)
		}
		if values, is := of.values(); is {
			values.fields(path+".*.", depth-1, into)
		}
	}
}

// object returns the schema itself if it has fields, or else the one alternative that has
// fields; empty if there is not exactly one.
func (s schema) object() schema {
	if len(s.Properties) > 0 {
		return s
	}
	var objects []schema
	for _, alternative := range append(s.AnyOf, s.OneOf...) {
		if alternative = alternative.resolved(); len(alternative.Properties) > 0 {
			objects = append(objects, alternative)
		}
	}
	if len(objects) == 1 {
		return objects[0]
	}
	return schema{}
}

// values returns the schema of a map's values.
func (s schema) values() (schema, bool) {
	raw, is := s.Additional.(map[string]any)
	if !is {
		return schema{}, false
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return schema{}, false
	}
	var of schema
	mustParse(text, &of)
	return of.resolved(), true
}

// kind describes the type of values in words.
func (s schema) kind() string {
	var kinds []string
	add := func(kind string) {
		if kind != "" && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	switch of := s.Type.(type) {
	case string:
		add(s.named(of))
	case []any:
		for _, kind := range of {
			name, _ := kind.(string)
			add(s.named(name))
		}
	}
	for _, alternative := range append(s.AnyOf, s.OneOf...) {
		for kind := range strings.SplitSeq(alternative.resolved().kind(), " or ") {
			add(kind)
		}
	}
	if len(kinds) == 0 {
		return "anything"
	}
	return strings.Join(kinds, " or ")
}

func (s schema) named(kind string) string {
	if kind == "array" && s.Items != nil {
		return "array of " + s.Items.resolved().kind()
	}
	return kind
}
