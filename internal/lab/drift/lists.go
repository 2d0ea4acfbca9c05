package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

type set map[string]bool

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// lists are the events by name, and the routes as "METHOD path", in which {} is what
// differs from call to call.
type lists struct {
	version        string
	events, routes set
}

var parameter = regexp.MustCompile(`\{[^{}]*\}`)

// documented returns the lists of this library.
func documented() lists {
	ours := lists{events: make(set), routes: make(set)}
	for _, event := range crisp.Events() {
		ours.events[event.Name] = true
	}
	for _, route := range rest.Routes() {
		ours.routes[route.Method+" "+parameter.ReplaceAllString(route.Path, "{}")] = true
	}
	return ours
}

// read returns the lists of an unpacked crisp-api.
func read(folder string) (lists, error) {
	theirs := lists{events: make(set), routes: make(set)}
	manifest, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil {
		return theirs, err
	}
	var about struct {
		Name, Version string
	}
	if err := json.Unmarshal(manifest, &about); err != nil || about.Name != "crisp-api" {
		return theirs, fmt.Errorf("%s has no package crisp-api", folder)
	}
	theirs.version = about.Version
	if err := theirs.readEvents(filepath.Join(folder, "dist", "crisp.js")); err != nil {
		return theirs, err
	}
	files, err := filepath.Glob(filepath.Join(folder, "dist", "resources", "*.js"))
	if err != nil {
		return theirs, err
	}
	for _, file := range files {
		if err := theirs.readRoutes(file); err != nil {
			return theirs, err
		}
	}
	if len(theirs.events) == 0 || len(theirs.routes) == 0 {
		return theirs, fmt.Errorf("crisp-api %s is written in another way: %d events and %d routes were found, so this program has to learn it",
			theirs.version, len(theirs.events), len(theirs.routes))
	}
	return theirs, nil
}

var (
	eventList = regexp.MustCompile(`(?s)\bDEFAULT_RTM_EVENTS = \[(.*?)\]`)
	eventName = regexp.MustCompile(`"([^"]+)"`)
	routeCall = regexp.MustCompile(`(?s)this\.crisp\.(\w+)\(\s*this\.crisp\.prepareRestUrl\(\s*\[(.*?)\]\s*\)`)
	segment   = regexp.MustCompile(`"[^"]*"|[^,\s"()]+(?:\([^)]*\))?`)
)

func (l *lists) readEvents(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if list := eventList.FindSubmatch(text); list != nil {
		for _, name := range eventName.FindAllSubmatch(list[1], -1) {
			l.events[string(name[1])] = true
		}
	}
	return nil
}

func (l *lists) readRoutes(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, call := range routeCall.FindAllSubmatch(text, -1) {
		var path []string
		for _, part := range segment.FindAllString(string(call[2]), -1) {
			if strings.HasPrefix(part, `"`) {
				path = append(path, strings.Trim(part, `"`))
			} else {
				path = append(path, "{}")
			}
		}
		l.routes[strings.ToUpper(string(call[1]))+" "+strings.Join(path, "/")] = true
	}
	return nil
}
