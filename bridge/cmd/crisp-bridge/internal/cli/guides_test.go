package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the guides have people type is parsed by the command itself, and not run.
func TestTheGuidesCommandsAreUnderstood(t *testing.T) {
	pages, err := filepath.Glob("../../../../../docs/*.md")
	require.NoError(t, err)
	checked := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile("(?m)(?:^|`)crisp-bridge( [^`\n]*)?(?:`|$)").FindAllStringSubmatch(string(text), -1) {
			checked++
			assert.NoError(t, understood(found[1]), "%s: crisp-bridge%s", filepath.Base(page), found[1])
		}
	}
	assert.Greater(t, checked, 10)
}

func TestCommandsThatAreNotUnderstoodAreFound(t *testing.T) {
	for args, ok := range map[string]bool{
		"":                       true,
		"tail --from oldest":     true,
		"dlq list":               true,
		"dlq show GROUP ID":      true,
		"dlq show GROUP ID more": false,
		"tail --since oldest":    false,
		"dlq forget GROUP":       false,
		"observe":                false,
	} {
		assert.Equal(t, ok, understood(args) == nil, args)
	}
}

// understood returns why arguments are none of the command's. One that is only named,
// as in a sentence, has none.
func understood(line string) error {
	a := &app{Surroundings: Surroundings{Stdout: io.Discard, Stderr: io.Discard}}
	cmd, args, err := a.rootCommand().Find(strings.Fields(strings.ReplaceAll(line, "…", "")))
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	if len(args) == 0 {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}
