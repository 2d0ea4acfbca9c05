package replay

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/itchyny/gojq"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Selection chooses events by a jq expression.
type Selection struct{ code *gojq.Code }

// NewSelection makes a selection from an expression. The expression sees events as
// crisp listen --format json writes them.
func NewSelection(expression string) (*Selection, error) {
	query, err := gojq.Parse(expression)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(query)
	return &Selection{code}, err
}

// Has reports whether the expression yields anything but false and null for an event.
func (s *Selection) Has(of record.Record) (bool, error) {
	text, err := of.MarshalJSON()
	if err != nil {
		return false, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return false, err
	}
	for results := s.code.Run(value); ; {
		result, ok := results.Next()
		if !ok {
			return false, nil
		}
		if err, failed := result.(error); failed {
			return false, fmt.Errorf("event %d: %w", of.N, err)
		}
		if result != nil && result != false {
			return true, nil
		}
	}
}
