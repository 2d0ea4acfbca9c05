package main

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// schemasFile is the file from which the command crisp knows the events' schemas.
const schemasFile = "cmd/crisp/internal/eventinfo/events_gen.json"

// schemaDocument returns what is known of the events as JSON: by name, and the schemas
// of their payloads, which refer to each other as "#/$defs/…".
func schemaDocument(m *model) []byte {
	var buf bytes.Buffer
	buf.WriteString("{\n\"events\": {\n")
	needed := map[string]bool{}
	for i, ev := range m.events {
		writeKey(&buf, i, ev.name)
		buf.WriteString(`{"schema":` + string(jsonOf(ev.payload.name)) + `,"summary":` + string(jsonOf(ev.summary)))
		if ev.description != "" {
			buf.WriteString(`,"description":` + string(jsonOf(ev.description)))
		}
		if len(ev.aliases) > 0 {
			buf.WriteString(`,"aliases":["` + strings.Join(ev.aliases, `","`) + `"]`)
		}
		buf.WriteByte('}')
		m.need(needed, ev.payload.name)
	}
	buf.WriteString("\n},\n\"schemas\": {\n")
	written := 0
	for _, schema := range m.schemas.members() {
		if needed[schema.key] {
			writeKey(&buf, written, schema.key)
			writeSchema(&buf, schema.value)
			written++
		}
	}
	buf.WriteString("\n}\n}\n")
	return buf.Bytes()
}

func writeKey(buf *bytes.Buffer, i int, key string) {
	if i > 0 {
		buf.WriteString(",\n")
	}
	buf.Write(jsonOf(key))
	buf.WriteByte(':')
}

// need adds a schema, and those that it refers to.
func (m *model) need(needed map[string]bool, name string) {
	if needed[name] {
		return
	}
	needed[name] = true
	if schema, ok := m.schemas.get(name); ok {
		for _, ref := range refs(schema) {
			m.need(needed, ref)
		}
	}
}

// refs returns the names of the schemas that a schema refers to.
func refs(v value) []string {
	var names []string
	switch v.node.Kind {
	case yaml.MappingNode:
		for _, m := range v.members() {
			if m.key == "$ref" {
				names = append(names, refName(m.value))
				continue
			}
			names = append(names, refs(m.value)...)
		}
	case yaml.SequenceNode:
		for _, item := range v.list() {
			names = append(names, refs(item)...)
		}
	default: // has none
	}
	return names
}

// writeSchema writes a schema as JSON, without the generator's extensions.
func writeSchema(buf *bytes.Buffer, v value) {
	switch v.node.Kind {
	case yaml.MappingNode:
		members := slices.DeleteFunc(v.members(), func(m member) bool { return strings.HasPrefix(m.key, "x-") })
		buf.WriteByte('{')
		for i, m := range members {
			if i > 0 {
				buf.WriteByte(',')
			}
			buf.Write(jsonOf(m.key))
			buf.WriteByte(':')
			if m.key == "$ref" {
				buf.Write(jsonOf("#/$defs/" + refName(m.value)))
				continue
			}
			writeSchema(buf, m.value)
		}
		buf.WriteByte('}')
	case yaml.SequenceNode:
		buf.WriteByte('[')
		for i, item := range v.list() {
			if i > 0 {
				buf.WriteByte(',')
			}
			writeSchema(buf, item)
		}
		buf.WriteByte(']')
	default:
		writeJSON(buf, v)
	}
}
