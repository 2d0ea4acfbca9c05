package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// listed is what go list prints of a package.
type listed struct {
	ImportPath, Dir, Name string
	GoFiles, Imports      []string
	Export                string // the file with the types of what it exports
	Module                *struct {
		Path string
		Main bool
	}
}

// goList has the go command compile all dependencies, so that their types need
// not be found out here again.
func goList(dir string) ([]*listed, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Name,GoFiles,Imports,Export,Module", "./...")
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	var list []*listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		l := new(listed)
		if err := d.Decode(l); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		list = append(list, l)
	}
}

// load reads the packages of the module in dir, in the order of their paths.
func load(dir string) ([]*pkg, error) {
	list, err := goList(dir)
	if err != nil {
		return nil, err
	}
	exports := make(map[string]string)
	for _, l := range list {
		exports[l.ImportPath] = l.Export
	}
	list = slices.DeleteFunc(list, func(l *listed) bool { return l.Module == nil || !l.Module.Main })
	slices.SortFunc(list, func(a, b *listed) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	var packages []*pkg
	for _, l := range list {
		p, err := l.read(exports)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.ImportPath, err)
		}
		packages = append(packages, p)
	}
	return packages, nil
}

func (l *listed) read(exports map[string]string) (*pkg, error) {
	p := &pkg{program: l.Name == "main", arrows: make(arrows), owners: make(map[string][]string)}
	p.name, _ = l.nameOf(l.ImportPath)
	for _, path := range l.Imports {
		if name, ours := l.nameOf(path); ours {
			p.imports = append(p.imports, name)
		}
	}
	fset := token.NewFileSet()
	var code []*ast.File
	for _, name := range l.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		code = append(code, file)
	}
	uses := make(map[*ast.Ident]types.Object)
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	checked, err := conf.Check(l.ImportPath, fset, code, &types.Info{Uses: uses})
	if err != nil {
		return nil, err
	}
	p.count(&source{fset, checked, uses, slices.DeleteFunc(code, ast.IsGenerated)})
	return p, nil
}

// nameOf is the name that a package has in the output, if it is of the module.
func (l *listed) nameOf(path string) (name string, ours bool) {
	if path == l.Module.Path {
		return root, true
	}
	return strings.CutPrefix(path, l.Module.Path+"/")
}
