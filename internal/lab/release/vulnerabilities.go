package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"golang.org/x/vuln/scan"
)

// checkVulnerabilities fails if a module calls what a database knows to be vulnerable.
// If the database can't be reached, it says so and returns no error.
func checkVulnerabilities(ctx context.Context, out io.Writer, root string, all modules, database string) error {
	for _, m := range all {
		fmt.Fprintf(out, "-- %s\n", m.path)
		said, err := scanModule(ctx, filepath.Join(root, filepath.FromSlash(m.folder)), database)
		if err != nil && strings.Contains(err.Error(), "fetching vulnerabilities: ") {
			fmt.Fprintln(out, "not checked: the database of vulnerabilities is out of reach")
			return nil
		}
		fmt.Fprint(out, said)
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	return nil
}

// scanModule runs govulncheck, and returns what it says.
func scanModule(ctx context.Context, folder, database string) (string, error) {
	var said bytes.Buffer
	command := scan.Command(ctx, "-C", folder, "-db", database, "./...")
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		return "", err
	}
	err := command.Wait()
	return said.String(), err
}
