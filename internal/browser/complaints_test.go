//go:build browser && unix

package browser

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What the other tests rely on: nothing that a page does wrong is overlooked.
func TestWhatAPageDoesWrongIsNoticed(t *testing.T) {
	for name, test := range map[string]struct{ script, notice string }{
		"script of hostile text": {`canary('from a text')`, "from a text"},
		"error":                  {`setTimeout(() => { throw new Error('thrown') })`, "thrown"},
		"rejected promise":       {`Promise.reject(new Error('not handled')); 0`, "not handled"},
		"line in the console":    {`console.warn('said')`, "said"},
		"violation of the policy": {
			`document.body.append(Object.assign(document.createElement('style'), {textContent: 'p {}'}))`, "style-src",
		},
		"request to elsewhere": {`document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.2:1/'}))`, "127.0.0.2"},
		"missing file":         {`document.body.append(Object.assign(new Image(), {src: '/missing'}))`, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src *")
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "<!doctype html><link rel=icon href=data:,><p>")
			}))
			defer server.Close()
			b := newMachine(t).open(wide, server.URL+"/")
			b.lazy = true
			eval[any](b, test.script+"; 1")
			var complaints []string
			assert.Eventually(t, func() bool {
				complaints = append(complaints, b.complaints()...)
				return containing(complaints, test.notice)
			}, patience, pause, "%s is noticed", test.notice)
		})
	}
}
