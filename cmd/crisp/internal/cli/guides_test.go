package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the guides have people type is parsed by the commands themselves, and not run.
func TestTheGuidesCommandsAreUnderstood(t *testing.T) {
	const root = "../../../.."
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	checked := 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, command := range commandsOf(string(text)) {
			checked++
			assert.NoError(t, understood(command), "%s: %s", filepath.Base(page), command)
		}
	}
	assert.Greater(t, checked, 50)
}

func TestCommandsThatAreNotUnderstoodAreFound(t *testing.T) {
	for command, ok := range map[string]bool{
		"crisp serve --scenario busy-hour":     true,
		"crisp listen -f http://127.0.0.1:1/h": true,
		"crisp serve --scenery busy-hour":      false,
		"crisp observe":                        false,
		"crisp trigger a b c":                  false,
		"crisp listen --count many":            false,
	} {
		assert.Equal(t, ok, understood(command) == nil, command)
	}
}

var (
	fenced = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```")
	inline = regexp.MustCompile("`([^`]+)`")
	asked  = regexp.MustCompile(`(?:^|[|;] |\$\()((?:crisp|go run -C cmd/crisp \.) [^─].*)`) // and no drawing
	word   = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)
)

// commandsOf returns the calls of the command in the code of a page.
func commandsOf(page string) (found []string) {
	add := func(line string) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		if call := asked.FindStringSubmatch(line); call != nil {
			found = append(found, call[1])
		}
	}
	for _, block := range fenced.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
			add(line)
		}
	}
	for _, span := range inline.FindAllStringSubmatch(strings.ReplaceAll(fenced.ReplaceAllString(page, ""), "\n", " "), -1) {
		add(span[1])
	}
	return found
}

// understood returns why a command line is none.
func understood(command string) error {
	_, rest, found := strings.Cut(command, "go run -C cmd/crisp . ")
	if !found {
		_, rest, _ = strings.Cut(command, "crisp ")
	}
	var args []string
	for _, arg := range word.FindAllString(rest, -1) {
		if arg == "|" || arg == "&" || arg == ">" || arg == "<" || strings.HasPrefix(arg, "#") || arg == "…" {
			break
		}
		args = append(args, strings.NewReplacer("'", "", `"`, "").Replace(arg))
	}
	a := &app{Surroundings: Surroundings{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}}
	root := a.rootCommand()
	cmd, rest2, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest2); err != nil {
		return err
	}
	if named(cmd, args) { // only the command is named, not called, as in a sentence
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// named reports whether a command line is no more than the command's name.
func named(cmd *cobra.Command, args []string) bool {
	return "crisp "+strings.Join(args, " ") == cmd.CommandPath()
}
