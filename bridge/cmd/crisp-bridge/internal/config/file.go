package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/crisp-go/crisp/internal/nearest"
)

// readFile sets what a file says. All its problems are in the error, joined.
func (c *Config) readFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the configuration can't be read: %w", err)
	}
	meta, err := toml.Decode(string(text), c)
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s:%d: %s", path, syntax.Position.Line, explain(syntax))
	case err != nil:
		if at := mismatch.FindStringSubmatch(err.Error()); at != nil {
			return fmt.Errorf("%s:%s: %s: %s", path, at[1], at[2], at[3])
		}
		return fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "toml: "))
	}
	var problems []error
	told := ""
	for _, key := range meta.Undecoded() {
		name := key.String()
		if told != "" && strings.HasPrefix(name, told+".") {
			continue // what is in a table that is unknown as a whole
		}
		told = name
		problems = append(problems, fmt.Errorf("%s:%d: %s is not known%s", path, lineOf(string(text), key), name, c.meant(key)))
	}
	for _, server := range c.Engine.Servers {
		if _, _, found := strings.Cut(server, "@"); found {
			problems = append(problems, fmt.Errorf("%s: engine.servers has a password in it: use engine.token_file or engine.creds_file, or the variable %s", path, varName("engine.servers")))
		}
	}
	return errors.Join(problems...)
}

// mismatch is what the error is like for a value of another type than it should have.
var mismatch = regexp.MustCompile(`^toml: line (\d+) \(last key "([^"]*)"\): (.*)$`)

// ofValue is what a message may have of a value: a key that was written without quotes, for
// example.
var ofValue = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\d{8,}`)

// explain says what is wrong with a file, and quotes no value of it but durations.
func explain(err toml.ParseError) string {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	if err.Message != "" {
		text = err.Message
	}
	switch {
	case strings.HasPrefix(text, "expected value but found"):
		text = "it is no value: texts have quotes"
	case !strings.Contains(text, noDuration):
		text = ofValue.ReplaceAllString(text, "…")
	}
	if err.LastKey != "" {
		text = err.LastKey + ": " + text
	}
	return text
}

// secretNames are what people may look for in the file.
var secretNames = map[string]string{
	"crisp.key":            "crisp.key_file or CRISP_KEY",
	"hooks.signing_secret": "hooks.signing_secret_file or CRISP_SIGNING_SECRET",
	"hooks.url_secret":     "hooks.url_secret_file or CRISP_URL_SECRET",
	"engine.token":         "engine.token_file or CRISP_BRIDGE_ENGINE_TOKEN",
	"engine.password":      "engine.token_file or CRISP_BRIDGE_ENGINE_TOKEN",
}

// meant says what was probably meant by a key that is not known.
func (c *Config) meant(key toml.Key) string {
	name := key.String()
	if instead, ok := secretNames[name]; ok {
		return ": secrets are not kept in this file; use " + instead
	}
	var names []string
	tables := map[string]bool{}
	for _, s := range settings(c) {
		names = append(names, s.name)
		if table, _, ok := strings.Cut(s.name, "."); ok && !tables[table] {
			tables[table] = true
			names = append(names, table)
		}
	}
	for _, known := range names { // in another table
		if _, last, ok := strings.Cut(known, "."); ok && last == key[len(key)-1] {
			return ": did you mean " + known + "?"
		}
	}
	if found := nearest.To(name, names); len(found) > 0 {
		return ": did you mean " + found[0] + "?"
	}
	return ""
}

// lineOf returns the line of a file, from 1, in which a key is; 1 if it is not found.
func lineOf(text string, key toml.Key) int {
	table := ""
	best := 1
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(strings.SplitN(line, "]", 2)[0], "[ ")
			if table == key.String() {
				return i + 1
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		name = strings.Trim(strings.TrimSpace(name), `"'`)
		if table != "" {
			name = table + "." + name
		}
		if name == key.String() {
			return i + 1
		}
		if strings.HasPrefix(key.String(), name+".") {
			best = i + 1 // in an inline table
		}
	}
	return best
}
