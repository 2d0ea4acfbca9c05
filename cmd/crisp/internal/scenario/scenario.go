// Package scenario reads and runs scenarios: files that say what visitors and
// operators do and when, and what goes wrong. docs/cli.md describes their language.
package scenario

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Scenario is a scenario that was read from a file.
type Scenario struct {
	Name  string
	Title string  // the remark at its beginning
	Speed float64 // default speed: how many times faster than the durations in the file
	Seed  uint64  // 0 if the file has none

	people people
	steps  []step
}

// Error is an error in a scenario.
type Error struct {
	Name string // of the file
	Line int    // from 1
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %v", e.Name, e.Line, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// maxSize is the size of the largest scenario that is read, in bytes.
const maxSize = 1 << 20

// Load returns the shipped scenario of this name, or else reads the file.
func Load(name string) (*Scenario, error) {
	if text, ok := shippedText(name); ok {
		return Parse(name, text)
	}
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s, and no scenario of that name; there are %s", name, strings.Join(shippedNames, ", "))
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("%s has more than %d bytes: it is no scenario", name, maxSize)
	}
	return Parse(name, string(text))
}
