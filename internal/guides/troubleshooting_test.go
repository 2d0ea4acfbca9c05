package guides

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// separators is what joins texts to one: an ellipsis stands for what differs, and a
// colon is between an error and what it wraps.
var separators = regexp.MustCompile(`…|: `)

// reason is what Crisp gave, which an APIError quotes behind the word.
var reason = regexp.MustCompile(`^reason "(\w+)"$`)

func TestTroubleshootingQuotesTheLibrary(t *testing.T) {
	source := librarySource(t)
	quoted := blocks(t, "../../docs/troubleshooting.md", "text")
	require.NotEmpty(t, quoted)
	for _, block := range quoted {
		for line := range strings.Lines(block) {
			for _, part := range separators.Split(strings.TrimSpace(line), -1) {
				part = strings.Trim(reason.ReplaceAllString(part, `$1`), ` ,"`)
				if !strings.Contains(source, part) {
					t.Errorf("the library says nowhere %q", part)
				}
			}
		}
	}
}

// librarySource is the code of package crisp without its tests, as its texts are printed.
func librarySource(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../../*.go")
	require.NoError(t, err)
	var source strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		source.Write(text)
	}
	return strings.NewReplacer("%%", "%", `\"`, `"`).Replace(source.String())
}

// blocks returns the fenced blocks of a guide that are marked with a language.
func blocks(t *testing.T, guide, language string) (found []string) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?sm)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(unindented(t, guide), -1) {
		found = append(found, block[1])
	}
	return found
}
