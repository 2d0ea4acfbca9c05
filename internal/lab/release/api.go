package main

import (
	"context"
	"fmt"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/packages"
)

// compareAPI writes which changes since the last release break programs. From 1.0.0 on
// they are an error; before, they are listed for the changelog.
func compareAPI(ctx context.Context, out io.Writer, root string, all modules) error {
	last, err := lastRelease(ctx, root)
	if err != nil {
		return err
	}
	if last == "" {
		fmt.Fprintln(out, "not compared: there is no release yet")
		return nil
	}
	released, err := os.MkdirTemp("", "crisp-released-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(released) //nolint:errcheck // it is temporary
	before, err := checkOut(ctx, root, last, released)
	if err != nil {
		return err
	}
	breaking, err := breakingChanges(ctx, released, before, root, all)
	if err != nil {
		return err
	}
	for _, change := range breaking {
		fmt.Fprintln(out, change)
	}
	fmt.Fprintf(out, "compared with %s: %d changes break programs\n", last, len(breaking))
	if len(breaking) > 0 && semver.Compare(last, "v1.0.0") >= 0 {
		return fmt.Errorf("breaks programs that use %s", last)
	}
	return nil
}

// lastRelease returns the newest tag that is not beyond the version of the code, or
// nothing. The tag's commit need not be an ancestor: releases are reached by their tags alone.
func lastRelease(ctx context.Context, root string) (string, error) {
	version, err := constantVersion(root)
	if err != nil {
		return "", err
	}
	tags, err := git(ctx, root, "tag", "--list", "v*")
	if err != nil {
		return "", err
	}
	last := ""
	for _, tag := range strings.Fields(tags) {
		if semver.IsValid(tag) && semver.Compare(tag, version) <= 0 && semver.Compare(tag, last) > 0 {
			last = tag
		}
	}
	return last, nil
}

// checkOut clones a tag into a folder. There, its modules find each other as they do in
// the repository, whether they are published or not.
func checkOut(ctx context.Context, root, tag, folder string) (modules, error) {
	if _, err := git(ctx, root, "-c", "advice.detachedHead=false", "clone", "--quiet", "--shared", "--branch", tag, ".", folder); err != nil {
		return nil, err
	}
	all, err := findModules(folder)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if err := all.connect(m, folder); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// connect has a module replace the others of the repository by their folders.
func (all modules) connect(m module, root string) error {
	here := filepath.Join(root, filepath.FromSlash(m.folder))
	for _, other := range all {
		to, err := filepath.Rel(here, filepath.Join(root, filepath.FromSlash(other.folder)))
		if err != nil {
			return err
		}
		if !strings.HasPrefix(to, ".") {
			to = "./" + to
		}
		if err := m.file.AddReplace(other.path, "", filepath.ToSlash(to), ""); err != nil {
			return err
		}
	}
	text, err := m.file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(here, "go.mod"), text, 0o600)
}

// breakingChanges compares all packages that users import. That the version is another
// is no change.
func breakingChanges(ctx context.Context, released string, before modules, root string, now modules) (changes []string, err error) {
	old, err := importable(ctx, released, before)
	if err != nil {
		return nil, fmt.Errorf("the last release: %w", err)
	}
	current, err := importable(ctx, root, now)
	if err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(old)) {
		if current[path] == nil {
			changes = append(changes, path+": removed")
			continue
		}
		for _, change := range apidiff.Changes(old[path], current[path]).Changes {
			if !change.Compatible && !strings.HasPrefix(change.Message, "Version: value changed ") {
				changes = append(changes, path+": "+change.Message)
			}
		}
	}
	return changes, nil
}

// importable returns the packages of the published modules that are no programs.
func importable(ctx context.Context, root string, all modules) (map[string]*types.Package, error) {
	found := make(map[string]*types.Package)
	for _, m := range all.published() {
		folder := filepath.Join(root, filepath.FromSlash(m.folder))
		paths, err := forUsers(ctx, folder, runtime.GOOS)
		if err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			continue
		}
		loaded, err := packages.Load(&packages.Config{
			Context: ctx, Dir: folder, Env: append(os.Environ(), "GOWORK=off"),
			Mode: packages.NeedName | packages.NeedTypes,
		}, paths...)
		if err != nil {
			return nil, err
		}
		for _, p := range loaded {
			for _, complaint := range p.Errors {
				return nil, complaint
			}
			if p.Types.Name() != "main" {
				found[p.PkgPath] = p.Types
			}
		}
	}
	return found, nil
}
