package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// module is one of the repository's.
type module struct {
	path   string // such as github.com/crisp-go/crisp/cmd/crisp
	folder string // below the root, with slashes; "." of the root's own
	file   *modfile.File
}

type modules []module

// findModules returns the modules of a repository such that each comes behind those it
// requires.
func findModules(root string) (modules, error) {
	var found modules
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case entry.Name() != "go.mod":
			return nil
		}
		m, err := readModule(root, name)
		if err == nil {
			found = append(found, m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found.inOrder()
}

func readModule(root, name string) (module, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return module{}, err
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return module{}, err
	}
	folder, err := filepath.Rel(root, filepath.Dir(name))
	if err != nil {
		return module{}, err
	}
	return module{path: file.Module.Mod.Path, folder: filepath.ToSlash(folder), file: file}, nil
}

// inOrder sorts the modules such that each comes behind those it requires.
func (all modules) inOrder() (modules, error) {
	var sorted modules
	left := slices.Clone(all)
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(m module) bool {
			return !slices.ContainsFunc(left, func(other module) bool { return m.requires(other.path) })
		})
		if i < 0 {
			return nil, fmt.Errorf("%s and others require each other", left[0].path)
		}
		sorted = append(sorted, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return sorted, nil
}

func (m module) requires(path string) bool {
	return slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == path })
}

// published returns the modules that users get: all but what is internal or tests others,
// and the examples, which are copied.
func (all modules) published() (list modules) {
	for _, m := range all {
		elements := strings.Split(m.folder, "/")
		if elements[0] != "internal" && elements[0] != "examples" && elements[len(elements)-1] != "test" {
			list = append(list, m)
		}
	}
	return list
}

// has reports whether one of the modules has a path.
func (all modules) has(path string) bool {
	return slices.ContainsFunc(all, func(m module) bool { return m.path == path })
}

// tag is the name of the tag that makes a version of the module.
func (m module) tag(version string) string {
	if m.folder == "." {
		return version
	}
	return path.Join(m.folder, version)
}

// release rewrites a go.mod for a version: what it requires of the repository is that
// version, too, and nothing is replaced.
func (all modules) release(m module, version string) ([]byte, error) {
	text, err := m.file.Format()
	if err != nil {
		return nil, err
	}
	file, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Clone(file.Replace) {
		if !all.has(r.Old.Path) {
			return nil, fmt.Errorf("%s replaces %s, which is not ours: users would not have it replaced", m.path, r.Old.Path)
		}
		if err := file.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return nil, err
		}
	}
	for _, r := range file.Require {
		if !all.has(r.Mod.Path) {
			continue
		}
		if !all.published().has(r.Mod.Path) && all.published().has(m.path) {
			return nil, fmt.Errorf("%s requires %s, which is not published", m.path, r.Mod.Path)
		}
		if err := file.AddRequire(r.Mod.Path, version); err != nil {
			return nil, err
		}
	}
	file.Cleanup()
	return file.Format()
}
