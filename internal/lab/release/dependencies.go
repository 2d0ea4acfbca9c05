package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// systems are those for which the command is built, and whose dependencies are listed.
var systems = []string{"darwin", "linux", "windows"}

// dependency is a version of somebody else's module.
type dependency struct {
	Path, Version, Dir string
}

// dependencies returns the modules of which packages are compiled into those of a
// folder that users import or install, on any of the systems; or into all of them and
// their tests.
func dependencies(ctx context.Context, all modules, folder string, tests bool) ([]dependency, error) {
	found := make(map[string]dependency)
	for _, system := range systems {
		args := []string{"-deps", "-test", "-json=Module", "./..."}
		if !tests {
			packages, err := forUsers(ctx, folder, system)
			if err != nil {
				return nil, err
			}
			args = append([]string{"-deps", "-json=Module"}, packages...)
		}
		out, err := list(ctx, folder, system, args...)
		if err != nil {
			return nil, err
		}
		for packages := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct{ Module *dependency }
			if err := packages.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if p.Module != nil && !all.has(p.Module.Path) {
				found[p.Module.Path+"@"+p.Module.Version] = *p.Module
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b dependency) int {
		return strings.Compare(a.Path+" "+a.Version, b.Path+" "+b.Version)
	}), nil
}

// forUsers returns the packages of a module that are neither internal nor examples.
func forUsers(ctx context.Context, folder, system string) ([]string, error) {
	out, err := list(ctx, folder, system, "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "./...")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(path string) bool {
		return strings.Contains(path, "/internal/") || strings.Contains(path, "/examples/")
	}), nil
}

// list runs go list for a system.
func list(ctx context.Context, folder, system string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, args...)...) //nolint:gosec // packages of this repository
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0", "GOWORK=off")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w\n%s", folder, err, complaint.Bytes())
	}
	return out, nil
}

// marks are sentences by which a licence is known, more special ones first.
var marks = []struct{ spdx, text string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"BSD-3-Clause", "neither the name of"},
	{"BSD-2-Clause", "redistributions in binary form must reproduce the above copyright notice"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
}

// license returns the SPDX identifiers of the licences that a module comes with.
func (d dependency) license() (string, error) {
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, entry := range entries {
		name := strings.ToLower(entry.Name())
		if entry.IsDir() || !strings.HasPrefix(name, "licen") && !strings.HasPrefix(name, "copying") && !strings.HasPrefix(name, "unlicense") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(d.Dir, entry.Name()))
		if err != nil {
			return "", err
		}
		found = append(found, identify(string(text))...)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s %s: no licence that is known here", d.Path, d.Version)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " AND "), nil
}

// identify returns the licences that a text has.
func identify(text string) (found []string) {
	plain := strings.Join(strings.Fields(strings.ReplaceAll(strings.ToLower(text), ",", ", ")), " ")
	plain = strings.ReplaceAll(plain, ", version 2.0", " version 2.0")
	for _, mark := range marks {
		if mark.spdx == "BSD-2-Clause" && slices.Contains(found, "BSD-3-Clause") {
			continue // whose beginning it is
		}
		if strings.Contains(plain, mark.text) {
			found = append(found, mark.spdx)
		}
	}
	return found
}
