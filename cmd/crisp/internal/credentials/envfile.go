package credentials

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// readEnvFile reads a file of lines NAME=value. A value may be in single or double quotes,
// a line may begin with "export", and empty lines and those that begin with # are skipped.
// Variables in values are not expanded. Errors quote no values.
func readEnvFile(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--env-file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	values := map[string]string{}
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		name, value, err := envLine(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("--env-file: %s:%d: %w", path, number, err)
		}
		if name != "" {
			values[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--env-file: %s: %w", path, err)
	}
	return values, nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envLine returns the variable that a line sets; empty for an empty line or a remark.
func envLine(line string) (name, value string, err error) {
	line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	if rest, ok := strings.CutPrefix(line, "export "); ok {
		line = rest
	}
	name, value, ok := strings.Cut(line, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || !envName.MatchString(name) {
		return "", "", fmt.Errorf("the line is not of the form NAME=value")
	}
	if value != "" && strings.ContainsRune(`"'`, rune(value[0])) {
		if len(value) == 1 || value[len(value)-1] != value[0] {
			return "", "", fmt.Errorf("the value of %s begins with a quote that does not end", name)
		}
		value = value[1 : len(value)-1]
	}
	return name, value, nil
}
