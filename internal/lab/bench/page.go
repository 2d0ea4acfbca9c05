package main

import (
	"fmt"
	"os"
	"strings"
)

// embedIn puts a table into a page, in the place of the one that stands below
// its mark: an HTML comment, as in <!-- bench readers -->.
func embedIn(file, name, table string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed, err := embed(string(page), name, table)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(changed), 0o644) //nolint:gosec // everybody may see it
}

func embed(page, name, table string) (string, error) {
	mark := "<!-- bench " + name + " -->\n\n"
	before, after, found := strings.Cut(page, mark)
	if !found {
		return "", fmt.Errorf("no line says %s", strings.TrimSpace(mark))
	}
	for strings.HasPrefix(after, "|") {
		_, after, _ = strings.Cut(after, "\n")
	}
	return before + mark + strings.TrimSpace(table) + "\n" + after, nil
}
