// Command eventgen generates the event types, their documentation and their
// samples from spec/asyncapi.yaml, and package rest from spec/openapi.yaml.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "root folder of the module")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "eventgen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	spec, err := os.ReadFile(filepath.Join(root, specFile))
	if err != nil {
		return err
	}
	files, err := generate(spec)
	if err != nil {
		return err
	}
	restSpec, err := os.ReadFile(filepath.Join(root, restSpecFile))
	if err != nil {
		return err
	}
	restFiles, err := generateREST(restSpec, spec)
	if err != nil {
		return err
	}
	maps.Copy(files, restFiles)
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // everybody may read sources
			return err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // likewise
			return err
		}
	}
	return nil
}

const specFile = "spec/asyncapi.yaml"

// generate returns the content of all files, by path below the root folder.
func generate(spec []byte) (map[string][]byte, error) {
	m, err := load(spec)
	if err != nil {
		return nil, err
	}
	code, err := goCode(m)
	if err != nil {
		return nil, err
	}
	samples, err := sampleCode(m)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"events_gen.go":            code,
		"docs/events.md":           eventTable(m),
		"crisptest/samples_gen.go": samples,
		schemasFile:                schemaDocument(m),
	}, nil
}
