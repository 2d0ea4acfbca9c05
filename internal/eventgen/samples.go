package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"

	"go.yaml.in/yaml/v4"
)

// sampleOf returns the payload of a message's first example as JSON, in the
// spec's order.
func sampleOf(msg value, payload *structType) string {
	examples, ok := msg.need("examples")
	if !ok {
		return ""
	}
	all := examples.list()
	if len(all) == 0 {
		examples.fail("wanted at least one example")
		return ""
	}
	sample, ok := all[0].need("payload")
	if !ok {
		return ""
	}
	checkSample(sample, payload)
	var buf bytes.Buffer
	writeJSON(&buf, sample)
	return buf.String()
}

// checkSample reports properties that are missing in the sample, are zero, or
// are not in the schema. Only a complete sample can show that a decoder reads
// everything.
func checkSample(sample value, s *structType) {
	for _, f := range s.fields {
		v, ok := sample.get(f.wire)
		if !ok && f.typ.structOf() != s { // a part of itself has to end somewhere
			sample.fail("%s is missing", f.wire)
		}
		if !ok {
			continue
		}
		if isZero(v.node) {
			v.fail("a sample shows no zero values")
		}
		if f.typ.kind == kindStruct && v.node.Kind == yaml.MappingNode {
			checkSample(v, f.typ.ref)
		}
		if f.typ.kind == kindStructMap {
			for _, entry := range v.members() {
				checkSample(entry.value, f.typ.elem.ref)
			}
		}
		if f.typ.kind == kindSlice && f.typ.elem.kind == kindStruct && v.node.Kind == yaml.SequenceNode {
			for _, item := range v.list()[:min(1, len(v.node.Content))] { // the others may be incomplete
				checkSample(item, f.typ.elem.ref)
			}
		}
	}
	for _, m := range sample.members() {
		if s.field(m.key) == nil {
			m.fail("the schema %s has no such property", s.name)
		}
	}
}

func isZero(node *yaml.Node) bool {
	switch node.ShortTag() {
	case "!!null":
		return true
	case "!!bool":
		return node.Value == "false"
	case "!!int", "!!float":
		return node.Value == "0"
	case "!!str":
		return node.Value == ""
	default:
		return len(node.Content) == 0
	}
}

// writeJSON writes a value, its members in the spec's order.
func writeJSON(buf *bytes.Buffer, v value) {
	switch v.node.Kind {
	case yaml.MappingNode:
		for i, m := range v.members() {
			buf.WriteByte("{,"[min(i, 1)])
			buf.Write(jsonOf(m.key))
			buf.WriteByte(':')
			writeJSON(buf, m.value)
		}
		if len(v.node.Content) == 0 {
			buf.WriteByte('{')
		}
		buf.WriteByte('}')
	case yaml.SequenceNode:
		buf.WriteByte('[')
		for i, item := range v.list() {
			if i > 0 {
				buf.WriteByte(',')
			}
			writeJSON(buf, item)
		}
		buf.WriteByte(']')
	default:
		var scalar any
		if err := v.node.Decode(&scalar); err != nil {
			v.fail("%v", err)
		}
		buf.Write(jsonOf(scalar))
	}
}

// jsonOf returns a scalar as JSON, without escaping for HTML.
func jsonOf(scalar any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(scalar); err != nil {
		panic(fmt.Sprintf("a scalar of YAML without a form in JSON: %v", err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// sampleCode returns the file of the samples.
func sampleCode(m *model) ([]byte, error) {
	var g printer
	g.line("%s", marker(specFile))
	g.line("")
	g.line("package crisptest")
	g.line("")
	g.comment("samplePayload returns the payload of an event's sample as JSON, empty if no event has that name.")
	g.line("func samplePayload(name string) string {")
	g.line("switch name {")
	for _, ev := range m.events {
		g.line("case %q:", ev.name)
		g.line("return %s", literal(ev.sample))
	}
	g.line("}")
	g.line(`return ""`)
	g.line("}")
	return format.Source(g.buf.Bytes())
}
