package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	gomodule "golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// proxy is a folder with modules in the form in which a module proxy serves them.
type proxy struct {
	folder string
	cache  string // module cache of the rehearsal, so that nothing of it gets into the machine's own
	work   string
}

// env is the environment of a user to whom the modules are published.
func (p *proxy) env() []string {
	upstream, _ := exec.Command("go", "env", "GOPROXY").Output() // empty is none
	known, _ := exec.Command("go", "env", "GOMODCACHE").Output()
	sources := []string{fileURL(p.folder), fileURL(filepath.Join(strings.TrimSpace(string(known)), "cache", "download"))}
	if up := strings.TrimSpace(string(upstream)); up != "" {
		sources = append(sources, up)
	}
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "CRISP_") && name != "GOFLAGS" && name != "GOWORK" {
			env = append(env, v)
		}
	}
	return append(env,
		"GOPROXY="+strings.Join(sources, ","),
		"GONOSUMDB="+strings.Trim(os.Getenv("GONOSUMDB")+",github.com/crisp-go", ","),
		"GOMODCACHE="+p.cache,
		"GOFLAGS=-mod=mod -modcacherw -trimpath",
		"GOWORK=off",
	)
}

func fileURL(folder string) string { return "file://" + filepath.ToSlash(folder) }

// command runs a program in a folder as such a user, and returns what it has written.
func (p *proxy) command(ctx context.Context, folder, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the go command, and what it has installed
	cmd.Dir, cmd.Env = folder, p.env()
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// publish adds a module in a version to the proxy, made of a folder.
func (p *proxy) publish(m gomodule.Version, folder string) error {
	at := filepath.Join(p.folder, filepath.FromSlash(m.Path), "@v") // none of our paths has capital letters
	if err := os.MkdirAll(at, 0o750); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": m.Version, "Time": time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, m, folder); err != nil {
		return err
	}
	base := filepath.Join(at, m.Version)
	return errors.Join(
		os.WriteFile(base+".info", info, 0o600),
		os.WriteFile(base+".mod", mod, 0o600),
		os.WriteFile(base+".zip", archive.Bytes(), 0o600),
		os.WriteFile(filepath.Join(at, "list"), []byte(m.Version+"\n"), 0o600),
	)
}

// copyFiles copies files of the repository, whose names are below its root, without the
// part of them that is a folder.
func copyFiles(root, folder, to string, names []string) error {
	for _, name := range names {
		inside := name
		if folder != "." {
			inside = strings.TrimPrefix(name, folder+"/")
		}
		target := filepath.Join(to, filepath.FromSlash(inside))
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
