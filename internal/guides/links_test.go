package guides

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// pages are all that is written for people, from the root of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "docs/*.md", ".github/*.md", ".github/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			require.NoError(t, err)
			found = append(found, name)
		}
	}
	require.Greater(t, len(found), 15)
	return found
}

var (
	fence  = regexp.MustCompile("(?ms)^```.*?^```")
	code   = regexp.MustCompile("`[^`\n]*`")
	link   = regexp.MustCompile(`\]\(([^()\s]+(?:\([^()]*\))?)\)`)
	header = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		text, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		prose := code.ReplaceAllString(fence.ReplaceAllString(string(text), ""), "``")
		for _, found := range link.FindAllStringSubmatch(prose, -1) {
			if problem := checkLink(page, found[1]); problem != "" {
				t.Errorf("%s links to %s: %s", page, found[1], problem)
			}
		}
	}
}

func TestLinksThatLeadNowhereAreFound(t *testing.T) {
	for target, problem := range map[string]string{
		"docs/nowhere.md":            "there is no such file",
		"docs/rtm.md#nothing":        "the page has no such heading",
		"#nothing":                   "the page has no such heading",
		"http://crisp.chat":          "needs https",
		"https:///path":              "no host",
		"docs/reliability.md#faults": "",
		"examples/echo":              "",
		"https://crisp.chat":         "",
	} {
		assert.Equal(t, problem, checkLink("README.md", target), target)
	}
}

// checkLink returns what is wrong with a link of a page; nothing is fetched.
func checkLink(page, target string) string {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return "no URL"
	case u.Scheme == "https":
		if u.Host == "" {
			return "no host"
		}
		return ""
	case u.Scheme != "" || u.Host != "":
		return "needs https"
	}
	to := filepath.Join(root, page)
	if u.Path != "" {
		to = filepath.Join(root, filepath.Dir(page), filepath.FromSlash(u.Path))
	}
	if _, err := os.Stat(to); err != nil {
		return "there is no such file"
	}
	if u.Fragment == "" {
		return ""
	}
	text, err := os.ReadFile(to)
	if err != nil {
		return "the page has no such heading"
	}
	for _, heading := range header.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
		if anchor(heading[1]) == u.Fragment {
			return ""
		}
	}
	return "the page has no such heading"
}

// anchor is what a heading is linked by: in lower case, with hyphens for blanks, and
// without punctuation.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
