package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// tag makes the commit of a release, whose go.mod files users can do with, and its tags.
// The branch stays where it is: the commit is reached by the tags alone.
func tag(ctx context.Context, root string, all modules, version string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	if err := check(ctx, root, all, version); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "crisp-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // it is temporary
	files, err := listFiles(ctx, root)
	if err != nil {
		return err
	}
	p := &proxy{folder: filepath.Join(work, "proxy"), cache: filepath.Join(work, "cache"), work: work}
	if err := p.release(ctx, root, all, files, version); err != nil {
		return err
	}
	tree := filepath.Join(work, "tree")
	if _, err := git(ctx, root, "worktree", "add", "--quiet", "--detach", tree, "HEAD"); err != nil {
		return err
	}
	defer git(ctx, root, "worktree", "remove", "--force", tree) //nolint:errcheck // git worktree prune removes it later
	for _, m := range all.published() {
		for _, name := range []string{"go.mod", "go.sum"} {
			if err := copyFile(filepath.Join(p.staged(m), name), filepath.Join(tree, filepath.FromSlash(m.folder), name)); err != nil {
				return err
			}
		}
	}
	if _, err := git(ctx, tree, "add", "--all"); err != nil {
		return err
	}
	if _, err := git(ctx, tree, "commit", "--quiet", "--allow-empty", "--message", "Release "+version); err != nil {
		return err
	}
	var tags []string
	for _, m := range all.published() {
		if _, err := git(ctx, tree, "tag", "--annotate", "--message", m.path+" "+version, m.tag(version)); err != nil {
			return err
		}
		tags = append(tags, m.tag(version))
	}
	fmt.Printf("tagged; to publish: git push --atomic origin %s\n", strings.Join(tags, " "))
	return nil
}

// copyFile copies a file; one that is not there is none.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func git(ctx context.Context, folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // names of tags and folders of this repository
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

var versionConstant = regexp.MustCompile(`(?m)^const Version = "([^"]+)"$`)

// check returns what keeps a version from being released.
func check(ctx context.Context, root string, all modules, version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("%q is not a version such as v0.2.0", version)
	}
	if major := semver.Major(version); major != "v0" && major != "v1" {
		return fmt.Errorf("%s needs module paths that end in /%s", version, major)
	}
	changed, err := git(ctx, root, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return errors.New("there are changes that are not committed")
	}
	code, err := os.ReadFile(filepath.Join(root, "client.go"))
	if err != nil {
		return err
	}
	if found := versionConstant.FindSubmatch(code); found == nil || "v"+string(found[1]) != version {
		return fmt.Errorf("client.go has another Version than %s", strings.TrimPrefix(version, "v"))
	}
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if heading := "\n## [" + strings.TrimPrefix(version, "v") + "] - "; !strings.Contains(string(changelog), heading) {
		return fmt.Errorf("CHANGELOG.md has no heading %q", strings.TrimSpace(heading))
	}
	for _, m := range all.published() {
		if list, err := git(ctx, root, "tag", "--list", m.tag(version)); err != nil {
			return err
		} else if list != "" {
			return fmt.Errorf("the tag %s is there already", m.tag(version))
		}
	}
	return nil
}
