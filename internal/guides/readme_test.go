package guides

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	return string(text)
}

func TestTheReadmeLeadsToEachGuideAndExample(t *testing.T) {
	text := readme(t)
	var wanted []string
	for _, page := range pages(t) {
		if page != "README.md" && !strings.HasPrefix(page, ".github") {
			wanted = append(wanted, filepath.ToSlash(page))
		}
	}
	mains, err := filepath.Glob(filepath.Join(root, "examples", "*", "main.go"))
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	for _, name := range mains {
		wanted = append(wanted, "examples/"+filepath.Base(filepath.Dir(name)))
	}
	for _, page := range wanted {
		if page != "examples/quickstart" { // a command of the README
			assert.Regexp(t, `\]\(`+regexp.QuoteMeta(page)+`[)#]`, text)
		}
	}
}

// The comparison with the official SDKs says nothing that the guides don't.
func TestTheReadmesFiguresAreThoseOfTheGuides(t *testing.T) {
	var guides strings.Builder
	for _, name := range []string{"reliability.md", "performance.md"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", name))
		require.NoError(t, err)
		guides.Write(text)
	}
	_, table, found := strings.Cut(readme(t), "|---|---|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	figures := regexp.MustCompile(`\d+(?:[.–]\d+)?(?: (?:s|%))?`).FindAllString(table, -1)
	assert.Greater(t, len(figures), 6)
	for _, figure := range figures {
		there := regexp.MustCompile(`(^|[^\d.])` + regexp.QuoteMeta(strings.ReplaceAll(figure, "–", "-")) + `($|[^\d.]|\.\s)`)
		assert.True(t, there.MatchString(guides.String()), "no guide says %s", figure)
	}
}
