//go:build browser && unix

package browser

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chromedp/chromedp"
)

var axe = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("node/node_modules/axe-core/axe.min.js")
	return string(text), err
})

// violations returns what axe-core finds wrong with what the page shows.
func (b *tab) violations() []string {
	b.t.Helper()
	source, err := axe()
	require.NoError(b.t, err, "axe-core is there after npm ci in the folder node")
	if !eval[bool](b, `'axe' in window`) {
		_, err = chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](source))
		require.NoError(b.t, err)
	}
	return eval[[]string](b, `axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map((v) =>
		v.id + ' (' + v.impact + '): ' + v.help + ': ' + v.nodes.slice(0, 5).map((n) =>
			n.target.join(' ') + ' ' + n.html.slice(0, 120) + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? '')).join(' | ')))`)
}

func TestAxeFindsViolations(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; require-trusted-types-for 'script'; style-src 'unsafe-inline'")
		_, _ = w.Write([]byte(`<!doctype html><html><head><link rel=icon href=data:,></head>
			<p style="color: #aaa; background: #fff">faint <input>`))
	}))
	defer web.Close()
	b := newMachine(t).open(wide, web.URL+"/")
	b.lazy = true // the policy forbids the icon
	found := strings.Join(b.violations(), "\n")
	for _, rule := range []string{"color-contrast", "label", "document-title", "html-has-lang"} {
		assert.Contains(t, found, rule)
	}
}
