package main

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// listFiles returns the files of the repository, those that are not committed yet among
// them, by their names below its root.
func listFiles(ctx context.Context, root string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// filesOf returns those of the files that are a module's, not one's that is nested in it.
func (all modules) filesOf(m module, files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(name string) bool { return all.owner(name).folder != m.folder })
}

// owner returns the module that a file belongs to.
func (all modules) owner(name string) (owner module) {
	depth := 0
	for _, m := range all {
		if d := len(m.folder); m.holds(name) && d >= depth {
			owner, depth = m, d
		}
	}
	return owner
}

// holds reports whether a file is below the module's folder.
func (m module) holds(name string) bool {
	return m.folder == "." || strings.HasPrefix(name, m.folder+"/")
}

// below returns the files of a folder, with those of the folders in it.
func below(folder string, files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(name string) bool { return !strings.HasPrefix(name, folder+"/") })
}

// examples returns the folders of the examples.
func examples(files []string) (folders []string) {
	for _, name := range files {
		if ok, _ := path.Match("examples/*/main.go", name); ok {
			folders = append(folders, path.Dir(name))
		}
	}
	return folders
}
