package main

import (
	"bytes"
	"strings"
)

const restExamplesFile = restFolder + "testdata/examples.json"

// restExamples returns the data of the example of each answer as JSON, by method and
// path, for the tests of the decoders. Every field has to have a value in them.
func restExamples(spec, eventSpec []byte) ([]byte, error) {
	doc, schemas, err := restDocument(spec, eventSpec)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	paths, _ := doc.need("paths")
	for _, path := range paths.members() {
		for _, op := range path.members() {
			if op.key == "parameters" {
				continue
			}
			if data, ok := answerExample(op, schemas); ok {
				writeExample(&buf, strings.ToUpper(op.key)+" "+strings.TrimPrefix(path.key, "/"), data)
			}
		}
	}
	return append(append([]byte("{"), buf.Bytes()...), "\n}\n"...), doc.err()
}

func writeExample(buf *bytes.Buffer, route string, data value) {
	if buf.Len() > 0 {
		buf.WriteByte(',')
	}
	buf.WriteString("\n \"" + route + "\": ")
	writeJSON(buf, data)
}

// answerExample returns the data of the example of an operation's answer, if that has
// any.
func answerExample(op member, schemas *loader) (value, bool) {
	responses, ok := op.need("responses")
	if !ok {
		return value{}, false
	}
	success, ok := responses.need("200")
	if !ok {
		return value{}, false
	}
	if _, ok := success.get("content"); !ok {
		return value{}, false
	}
	schema, ok := jsonContent(success)
	if !ok {
		return value{}, false
	}
	content, _ := success.get("content")
	media, _ := content.get("application/json")
	example, ok := media.need("example")
	if !ok {
		return value{}, false
	}
	data, ok := example.need("data")
	if !ok {
		return value{}, false
	}
	if form, ok := dataOf(schema); ok {
		checkExample(data, form, schemas)
	}
	return data, true
}

// checkExample reports what is missing in the example of an answer, which may be a
// list.
func checkExample(data, form value, schemas *loader) {
	if _, inline := form.get("properties"); inline {
		return // one text, which is there if the document is valid
	}
	if special, ok := form.get("x-crisp-type"); ok && special.text() == "raw" {
		return
	}
	typ, ok := schemas.typeOf(form)
	if !ok {
		return
	}
	if typ.kind == kindSlice {
		all := data.list()
		if len(all) == 0 {
			data.fail("wanted at least one element")
			return
		}
		typ, data = *typ.elem, all[0]
	}
	if typ.kind == kindStruct {
		checkSample(data, typ.ref)
	}
}
