package inspect

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pageFiles returns the page's files by their paths.
func pageFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(page, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(page, path)
		files[path] = string(text)
		return err
	}))
	return files
}

// dangerous is what would make text that somebody wrote into more than text, or which the page's policy forbids.
var dangerous = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|srcdoc|` +
	`\beval\b|\bFunction\(|javascript:|<style|\bstyle\s*=|<[^>]*\son\w+\s*=`)

// foreign is a URL of another origin.
var foreign = regexp.MustCompile(`(?:https?:|wss?:|["'(])//[^\s"')<]*`)

// named are those that are shown or that name a namespace, and that nothing is fetched from.
var named = []string{
	"http://www.w3.org/2000/svg",
	"http://127.0.0.1:7701/",
	"http://127.0.0.1:8080/hooks",
}

func TestPageHasNothingDangerous(t *testing.T) {
	for path, text := range pageFiles(t) {
		assert.Empty(t, dangerous.FindAllString(text, -1), path)
		for _, url := range foreign.FindAllString(text, -1) {
			assert.Contains(t, named, url, path)
		}
	}
}

func TestDangerousIsFound(t *testing.T) {
	for _, text := range []string{
		`row.innerHTML = text`, `row.insertAdjacentHTML("beforeend", text)`, `document.write(text)`, `eval(text)`, `new Function(text)`,
		`<p style="color: red">`, `<button onclick="run()">`, `<a href="javascript:run()">`,
	} {
		assert.Regexp(t, dangerous, text)
	}
	for _, text := range []string{`"https://example.com/x.js"`, `url(//example.com/x.png)`, `import "//example.com/x.js"`} {
		assert.Regexp(t, foreign, text)
	}
}
