package guides

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whether the host understands the workflows is checked by the gate's stage of that name.
func TestWorkflowsRunWhatIsThere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	step := regexp.MustCompile(`(?m)^ +- run: (.*)$(?:\n +working-directory: (.*)$)?`)
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range step.FindAllStringSubmatch(string(text), -1) {
			command := found[1]
			if found[2] != "" {
				assert.DirExists(t, filepath.Join(root, filepath.FromSlash(found[2])), file)
				command = "cd " + found[2] + " && " + command
			}
			if command == ".ci/run" || !wanted.MatchString(command) {
				continue
			}
			checked++
			assert.Empty(t, checkCommand(command), "%s: %s", filepath.Base(file), command)
		}
	}
	assert.Greater(t, checked, 5)
}

func TestTheOldestGoIsTested(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	oldest := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	require.NotNil(t, oldest)
	gate, err := os.ReadFile(filepath.Join(root, ".github", "workflows", "gate.yml"))
	require.NoError(t, err)
	assert.Contains(t, string(gate), "go: ['"+string(oldest[1])+"', stable]")
}
