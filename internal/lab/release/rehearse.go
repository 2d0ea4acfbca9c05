package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	gomodule "golang.org/x/mod/module"
)

// rehearse releases the modules as they are in the folder of the repository, and does
// with them what users do: it gets each, builds what imports its packages, installs the
// commands, and runs the examples from copies.
func rehearse(ctx context.Context, root string, all modules, keep string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "crisp-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // it is temporary
	p := &proxy{folder: filepath.Join(work, "proxy"), cache: filepath.Join(work, "cache"), work: work}
	if keep != "" {
		if p.folder, err = filepath.Abs(keep); err != nil {
			return err
		}
	}
	files, err := listFiles(ctx, root)
	if err != nil {
		return err
	}
	version := "v0.0.0-rehearsal." + time.Now().UTC().Format("20060102150405")
	if err := p.release(ctx, root, all, files, version); err != nil {
		return err
	}
	for _, m := range all.published() {
		if err := p.use(ctx, m, version); err != nil {
			return fmt.Errorf("as a user of %s: %w", m.path, err)
		}
		fmt.Println("used", m.path)
	}
	for _, folder := range examples(files) {
		if err := p.copyExample(ctx, root, folder, below(folder, files), version); err != nil {
			return fmt.Errorf("%s, copied: %w", folder, err)
		}
	}
	return nil
}

// release publishes all modules.
func (p *proxy) release(ctx context.Context, root string, all modules, files []string, version string) error {
	for _, m := range all.published() {
		folder := p.staged(m)
		if err := p.stage(ctx, root, all, m, files, version, folder); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		if err := p.publish(gomodule.Version{Path: m.path, Version: version}, folder); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		fmt.Println("released", m.path)
	}
	return nil
}

// staged is the folder of a module as it is published.
func (p *proxy) staged(m module) string {
	return filepath.Join(p.work, "modules", strings.ReplaceAll(m.path, "/", "+"))
}

// stage makes a folder with a module as it is published.
func (p *proxy) stage(ctx context.Context, root string, all modules, m module, files []string, version, folder string) error {
	if err := copyFiles(root, m.folder, folder, all.filesOf(m, files)); err != nil {
		return err
	}
	mod, err := all.release(m, version)
	if err != nil {
		return err
	}
	if bytes.Contains(mod, []byte("replace")) {
		return fmt.Errorf("its go.mod still replaces something:\n%s", mod)
	}
	if err := os.WriteFile(filepath.Join(folder, "go.mod"), mod, 0o600); err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "LICENSE"), license, 0o600); err != nil {
		return err
	}
	_, err = p.command(ctx, folder, "go", "mod", "tidy")
	return err
}

// use gets a module as a user does, in an empty folder.
func (p *proxy) use(ctx context.Context, m module, version string) error {
	folder, err := os.MkdirTemp(p.work, "user-")
	if err != nil {
		return err
	}
	if _, err := p.command(ctx, folder, "go", "mod", "init", "example.com/user"); err != nil {
		return err
	}
	if _, err := p.command(ctx, folder, "go", "get", m.path+"@"+version); err != nil {
		return err
	}
	list, err := p.command(ctx, folder, "go", "list", "-f", "{{if .GoFiles}}{{.Name}} {{.ImportPath}}{{end}}", m.path+"/...")
	if err != nil {
		return err
	}
	var program strings.Builder
	program.WriteString("package main\n\n")
	for line := range strings.Lines(list) {
		name, importPath, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case importPath == "" || strings.Contains(importPath, "/internal/") || strings.Contains(importPath, "/examples/"):
		case name == "main":
			if err := p.install(ctx, folder, importPath, version); err != nil {
				return err
			}
		default:
			fmt.Fprintf(&program, "import _ %q\n", importPath)
		}
	}
	program.WriteString("\nfunc main() {}\n")
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program.String()), 0o600); err != nil {
		return err
	}
	_, err = p.command(ctx, folder, "go", "build", "-o", os.DevNull, ".")
	return err
}

// install installs a command, and asks it for its version.
func (p *proxy) install(ctx context.Context, folder, importPath, version string) error {
	if _, err := p.command(ctx, folder, "env", "GOBIN="+folder, "go", "install", importPath+"@"+version); err != nil {
		return err
	}
	out, err := p.command(ctx, folder, filepath.Join(folder, path.Base(importPath)), "version")
	fmt.Printf("installed %s: %s\n", importPath, firstLine(out))
	return err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// needAccount are the examples that do nothing without a token of Crisp: they are only built.
var needAccount = map[string]bool{"examples/echo": true, "examples/filter": true}

// exampleTime is how long an example may take.
const exampleTime = 2 * time.Minute

// copyExample copies an example into a module of its own, and runs it.
func (p *proxy) copyExample(ctx context.Context, root, folder string, files []string, version string) error {
	to, err := os.MkdirTemp(p.work, "example-")
	if err != nil {
		return err
	}
	if err := copyFiles(root, folder, to, files); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := os.Remove(filepath.Join(to, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	for _, args := range [][]string{
		{"mod", "init", "example.com/copied"},
		{"get", "github.com/crisp-go/crisp@" + version},
		{"mod", "tidy"},
		{"vet", "./..."},
	} {
		if _, err := p.command(ctx, to, "go", args...); err != nil {
			return err
		}
	}
	if needAccount[folder] {
		_, err := p.command(ctx, to, "go", "build", "-o", os.DevNull, ".")
		fmt.Println("built", folder)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, exampleTime)
	defer cancel()
	began := time.Now()
	_, err = p.command(ctx, to, "go", "run", ".")
	fmt.Printf("ran %s in %.1f s\n", folder, time.Since(began).Seconds())
	return err
}
