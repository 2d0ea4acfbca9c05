package main

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheProgramIsSmall builds it as it is released, with the tools for agents and
// without: stripped, and without inlining, which makes it an eighth smaller and no
// slower where it matters, at the network.
func TestTheProgramIsSmall(t *testing.T) {
	const mega = 1 << 20
	for name, test := range map[string]struct {
		tags       string
		size       int64
		thirdParty int // modules
	}{
		"whole":       {"", 15 * mega, 20},
		"without mcp": {"nomcp", 12 * mega, 12},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "crisp")
			build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-gcflags=all=-l", "-tags="+test.tags, "-o", path, ".")
			build.Env = append(build.Environ(), "CGO_ENABLED=0")
			said, err := build.CombinedOutput()
			require.NoError(t, err, "%s", said)
			file, err := os.Stat(path)
			require.NoError(t, err)
			info, err := buildinfo.ReadFile(path)
			require.NoError(t, err)
			modules := 0
			for _, module := range info.Deps {
				if !strings.HasPrefix(module.Path, "github.com/crisp-go/crisp") {
					modules++
				}
			}
			t.Logf("%d bytes, %d modules of others", file.Size(), modules)
			assert.LessOrEqual(t, file.Size(), test.size)
			assert.LessOrEqual(t, modules, test.thirdParty)
		})
	}
}
