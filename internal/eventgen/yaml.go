package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// value is a node of the spec with its path. The methods that read it report a
// value of the wrong kind and go on with the zero value, so that one run finds
// all mistakes.
type value struct {
	file string // that the node is in
	node *yaml.Node
	path string
	errs *[]error
}

// member is a key of a mapping with its value.
type member struct {
	key string
	value
}

func parse(file string, text []byte) (value, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return value{}, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) != 1 {
		return value{}, errors.New(file + ": no document")
	}
	return value{file: file, node: doc.Content[0], path: "spec", errs: new([]error)}, nil
}

func (v value) fail(format string, args ...any) {
	err := fmt.Errorf("%s:%d: %s: %s", v.file, v.node.Line, v.path, fmt.Sprintf(format, args...))
	*v.errs = append(*v.errs, err)
}

// err returns everything that was reported.
func (v value) err() error { return errors.Join(*v.errs...) }

func (v value) child(node *yaml.Node, path string) value {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return value{file: v.file, node: node, path: path, errs: v.errs}
}

// members returns the members of a mapping, in their order.
func (v value) members() []member {
	if v.node.Kind != yaml.MappingNode {
		v.fail("wanted a mapping")
		return nil
	}
	var all []member
	for pair := range slices.Chunk(v.node.Content, 2) {
		key := pair[0].Value
		all = append(all, member{key, v.child(pair[1], v.path+"."+key)})
	}
	return all
}

// get returns a member of a mapping, and whether it is there.
func (v value) get(key string) (value, bool) {
	if v.node.Kind != yaml.MappingNode {
		return value{}, false
	}
	for pair := range slices.Chunk(v.node.Content, 2) {
		if pair[0].Value == key {
			return v.child(pair[1], v.path+"."+key), true
		}
	}
	return value{}, false
}

// need is get for a member that has to be there.
func (v value) need(key string) (value, bool) {
	found, ok := v.get(key)
	if !ok {
		v.fail("%s is missing", key)
	}
	return found, ok
}

// only reports members other than the given ones, which the generator does not
// understand.
func (v value) only(keys ...string) {
	for _, m := range v.members() {
		if !slices.Contains(keys, m.key) {
			m.fail("not understood here")
		}
	}
}

func (v value) list() []value {
	if v.node.Kind != yaml.SequenceNode {
		v.fail("wanted a list")
		return nil
	}
	var all []value
	for i, node := range v.node.Content {
		all = append(all, v.child(node, fmt.Sprintf("%s[%d]", v.path, i)))
	}
	return all
}

func (v value) text() string {
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() == "!!null" || v.node.Value == "" {
		v.fail("wanted text")
		return ""
	}
	return v.node.Value
}

func (v value) texts() []string {
	var all []string
	for _, item := range v.list() {
		all = append(all, item.text())
	}
	return all
}

func (v value) boolean() bool {
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!bool" {
		v.fail("wanted true or false")
		return false
	}
	b, err := strconv.ParseBool(v.node.Value)
	if err != nil {
		v.fail("wanted true or false")
	}
	return b
}

// textOf returns the text of a member, empty if there is none.
func (v value) textOf(key string) string {
	if found, ok := v.get(key); ok {
		return found.text()
	}
	return ""
}

// needText returns the text of a member that has to be there.
func (v value) needText(key string) string {
	if found, ok := v.need(key); ok {
		return found.text()
	}
	return ""
}

// textsOf returns the list of texts of a member, empty if there is none.
func (v value) textsOf(key string) []string {
	if found, ok := v.get(key); ok {
		return found.texts()
	}
	return nil
}
