package main

import "go/format"

// crispDataFile has the decoders of what package crisp reads of REST.
const crispDataFile = "rest_data_gen.go"

// loadCrispData returns the structs that have types in package crisp, in the order of
// the document of the routes.
func loadCrispData(spec, eventSpec []byte) ([]*structType, error) {
	doc, l, err := restDocument(spec, eventSpec)
	if err != nil {
		return nil, err
	}
	l.inCrisp = true
	for _, schema := range l.schemas.members() {
		if _, ok := schema.get("x-go-crisp"); ok {
			l.structNamed(schema.value, schema.key)
		}
	}
	var all []*structType
	for _, schema := range l.schemas.members() {
		if s, ok := l.structs[schema.key]; ok {
			all = append(all, s)
		}
	}
	return all, doc.err()
}

// crispData returns the file of the decoders. The types are written by hand: their
// fields have the names that a program reads, not those on the wire.
func crispData(structs []*structType) ([]byte, error) {
	var g printer
	g.line("%s", marker(restSpecFile))
	g.line("")
	g.line("package crisp")
	g.line("")
	g.line("import (\n\"time\"\n\n\"github.com/crisp-go/crisp/internal/payload\"\n)")
	for _, s := range structs {
		g.decoder(s, ", p payload.Presence")
	}
	return format.Source(g.buf.Bytes())
}
