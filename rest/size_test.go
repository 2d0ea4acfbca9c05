package rest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxGrowth is by how many bytes a program may grow that makes three calls.
const maxGrowth = 150_000

func TestAProgramGrowsByLittle(t *testing.T) {
	size := func(program string) int64 {
		binary := filepath.Join(t.TempDir(), program)
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./testdata/size/"+program).CombinedOutput()
		require.NoError(t, err, string(out))
		info, err := os.Stat(binary)
		require.NoError(t, err)
		return info.Size()
	}
	root, all := size("root"), size("rest")
	assert.Less(t, all-root, int64(maxGrowth))
	t.Logf("a program of %d bytes grows by %d", root, all-root)
}

// A program that imports package crisp only grows by nothing.
func TestPackageCrispDoesWithoutThisOne(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/crisp-go/crisp").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	assert.Contains(t, packages, "github.com/crisp-go/crisp")
	assert.NotContains(t, packages, "github.com/crisp-go/crisp/rest")
}
