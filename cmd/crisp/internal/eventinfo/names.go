// Package eventinfo describes Crisp's events: their names, also by patterns, and the
// schemas of their payloads.
package eventinfo

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/nearest"
)

// Names returns the names of all documented events.
func Names() []string {
	events := crisp.Events()
	names := make([]string, len(events))
	for i, event := range events {
		names[i] = event.Name
	}
	return names
}

// Known reports whether a name is the name or alias of an event.
func Known(name string) bool {
	event, err := crisp.Decode(name, []byte("{}"))
	_, unknown := event.(*crisp.UnknownEvent)
	return err == nil && !unknown
}

// Expand returns the names of the events that match patterns such as "message:*", each
// once. A name without *, ? or [ matches itself even if it is unknown, since Crisp may
// have a new event.
func Expand(patterns []string) ([]string, error) {
	var names []string
	for _, pattern := range patterns {
		matching, err := expand(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range matching {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func expand(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	var names []string
	for _, name := range Names() {
		matches, err := path.Match(pattern, name)
		if err != nil {
			return nil, fmt.Errorf("the pattern %q makes no sense: %w", pattern, err)
		}
		if matches {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no event has a name like %q: crisp events list has them all", pattern)
	}
	return names, nil
}

// Unknown returns the error for an unknown name, which suggests similar ones.
func Unknown(name string) error {
	if names := nearest.To(name, Names()); len(names) > 0 {
		return fmt.Errorf("no event is known as %q: is %s meant?", name, strings.Join(names, " or "))
	}
	return fmt.Errorf("no event is known as %q: crisp events list has them all", name)
}
