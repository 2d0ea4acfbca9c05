package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// outcome is what became of a mutant.
type outcome int

const (
	survived   outcome = iota // all tests pass
	killed                    // a test failed
	noTests                   // the pattern selects none
	uncompiled                // the change is no Go
)

// verdict is what go test said of a mutant.
type verdict struct {
	outcome outcome
	failed  []string // tests; without subtests, whose parents they make fail
	output  string   // of the tests or the compiler, for whoever wants to know why
}

// String is the verdict's cell in the table.
func (v verdict) String() string {
	switch v.outcome {
	case killed:
		return "`" + strings.Join(v.failed, "`, `") + "`"
	case noTests:
		return "NO SUCH TEST"
	case uncompiled:
		return "DOES NOT COMPILE"
	default:
		return "SURVIVED"
	}
}

// testEvent is a line of go test -json.
type testEvent struct {
	Action, Package, Test, Output string
}

// afterTests stands for what a package checks when its tests have passed: that
// they leave no goroutine behind.
const afterTests = "TestMain"

// classify reads what go test -json has printed. A test that has begun and not
// ended when its package fails has ended the process, by a panic for instance: go
// test does not always say that it failed.
func classify(lines []byte) verdict {
	var (
		v       verdict
		output  strings.Builder
		running = make(map[testEvent]bool) // by package and test
		ran     bool                       // some test
		failed  bool                       // a package
	)
	fail := func(test string) {
		if !strings.Contains(test, "/") {
			v.failed = append(v.failed, test)
		}
	}
	for line := range bytes.Lines(lines) {
		var e testEvent
		if json.Unmarshal(line, &e) != nil { // not from go test itself
			output.Write(line)
			continue
		}
		output.WriteString(e.Output)
		test := testEvent{Package: e.Package, Test: e.Test}
		switch {
		case e.Action == "build-fail":
			v.outcome = uncompiled
		case e.Action == "run":
			ran = true
			running[test] = true
		case e.Action == "fail" && e.Test == "":
			failed = true
			for test := range running {
				if test.Package == e.Package {
					fail(test.Test)
				}
			}
		case e.Action == "fail":
			fail(e.Test)
			delete(running, test)
		case e.Action == "pass":
			delete(running, test)
		}
	}
	slices.Sort(v.failed)
	v.failed = slices.Compact(v.failed)
	v.output = output.String()
	switch {
	case v.outcome == uncompiled:
	case !ran:
		v.outcome = noTests
	case failed && len(v.failed) == 0:
		v.outcome, v.failed = killed, []string{afterTests}
	case len(v.failed) > 0:
		v.outcome = killed
	}
	return v
}
