package jsontext

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Edit sets or removes the value at a path.
type Edit struct {
	Path  Path
	Value json.RawMessage // nil removes
}

// Edits change a document, one after the other.
type Edits []Edit

// ParseEdits reads the values to set, each as "path=value", and the paths to remove. See
// [ParsePath] and [ParseValue].
func ParseEdits(set, unset []string) (Edits, error) {
	var edits Edits
	for _, text := range set {
		at, value, found := strings.Cut(text, "=")
		if !found {
			return nil, fmt.Errorf("--set is %q; it must be PATH=VALUE", text)
		}
		path, err := ParsePath(at)
		if err != nil {
			return nil, fmt.Errorf("--set: %w", err)
		}
		parsed, err := ParseValue(value)
		if err != nil {
			return nil, fmt.Errorf("--set: %s: %w", at, err)
		}
		edits = append(edits, Edit{path, parsed})
	}
	for _, text := range unset {
		path, err := ParsePath(text)
		if err != nil {
			return nil, fmt.Errorf("--unset: %w", err)
		}
		edits = append(edits, Edit{Path: path})
	}
	return edits, nil
}

// Within returns the edits for a document that contains this one at a path.
func (e Edits) Within(path ...string) Edits {
	moved := make(Edits, len(e))
	for i, edit := range e {
		moved[i] = Edit{slices.Concat(path, edit.Path), edit.Value}
	}
	return moved
}

// Touches reports whether an edit sets or removes the value at a path, or one around it.
func (e Edits) Touches(path ...string) bool {
	return slices.ContainsFunc(e, func(edit Edit) bool {
		return len(edit.Path) <= len(path) && slices.Equal(edit.Path, path[:len(edit.Path)])
	})
}

// Apply changes a document, which must be valid JSON. missing are the paths that did not
// exist; values to set are added there.
func (e Edits) Apply(doc []byte) (changed []byte, missing []Path, err error) {
	for _, edit := range e {
		var was bool
		if edit.Value == nil {
			doc, was, err = Unset(doc, edit.Path)
		} else {
			var added bool
			doc, added, err = Set(doc, edit.Path, edit.Value)
			was = !added
		}
		if err != nil {
			return nil, nil, err
		}
		if !was {
			missing = append(missing, edit.Path)
		}
	}
	return doc, missing, nil
}
