package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

const licensesHead = `# Licences

The licence of this repository is [MIT](../LICENSE). These are the modules of others that are compiled into its packages on Linux, macOS
and Windows; made by ` + "`go run -C internal/lab/release . licenses`" + `, and checked by the gate.
`

// writeLicenses writes which modules of others ours are compiled with, and under which
// licences: first what users get, then what only tests and tools need.
func writeLicenses(ctx context.Context, out io.Writer, root string, all modules) error {
	fmt.Fprint(out, licensesHead)
	shipped := make(map[string]bool)
	published := all.published()
	rows, err := licenseRows(ctx, root, all, published, false, func(d dependency) bool {
		shipped[d.Path] = true
		return true
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n## What users get\n\n| module | version | licence | in |\n|---|---|---|---|\n%s", rows)
	rows, err = licenseRows(ctx, root, all, all, true, func(d dependency) bool { return !shipped[d.Path] })
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n## Tests, examples and tools\n\n| module | version | licence | in |\n|---|---|---|---|\n%s", rows)
	return nil
}

// licenseRows returns the rows of a table, a module each.
func licenseRows(ctx context.Context, root string, all, of modules, tests bool, wanted func(dependency) bool) (string, error) {
	type row struct{ versions, licenses, folders map[string]bool }
	rows := make(map[string]row)
	for _, m := range of {
		list, err := dependencies(ctx, all, filepath.Join(root, filepath.FromSlash(m.folder)), tests)
		if err != nil {
			return "", err
		}
		for _, d := range list {
			if !wanted(d) {
				continue
			}
			license, err := d.license()
			if err != nil {
				return "", err
			}
			if _, ok := rows[d.Path]; !ok {
				rows[d.Path] = row{make(map[string]bool), make(map[string]bool), make(map[string]bool)}
			}
			rows[d.Path].versions[d.Version] = true
			rows[d.Path].licenses[license] = true
			rows[d.Path].folders[cmp.Or(strings.TrimPrefix(m.folder, "."), "the library")] = true
		}
	}
	var table strings.Builder
	for _, path := range slices.Sorted(maps.Keys(rows)) {
		r := rows[path]
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", path, joined(r.versions), joined(r.licenses), joined(r.folders))
	}
	return table.String(), nil
}

func joined(words map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(words)), ", ")
}
