//go:build browser && unix

package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// window is what the browser looks like from inside.
type window struct {
	width, height int64
	scheme        string // light or dark
}

func (w window) String() string { return fmt.Sprintf("%d-%s", w.width, w.scheme) }

// The windows in which the page must work.
var (
	wide    = window{1280, 800, "light"}
	narrow  = window{400, 800, "light"}
	windows = []window{wide, {1280, 800, "dark"}, narrow, {400, 800, "dark"}}
)

// tab is a tab of a browser of its own. What the browser complains about, and requests
// that leave the page's own origin, fail the test.
type tab struct {
	t    *testing.T
	ctx  context.Context
	lazy bool // complaints that nobody has asked for are no failure

	mu      sync.Mutex // guards what is below
	origin  string
	failing bool // requests may fail
	trouble []string
}

// watching is run in each document before its own scripts. Whatever hostile text does if
// it becomes a script calls canary.
const watching = `
window.canaries = [];
window.canary = (...what) => { window.canaries.push(what.join(' ')); };
window.violations = [];
document.addEventListener('securitypolicyviolation', (e) => {
  window.violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample);
});
`

//go:embed testdata/inspector.js
var seeing string

func (m *machine) open(w window, url string) *tab {
	t := m.t
	t.Helper()
	allocator, release := chromedp.NewExecAllocator(context.Background(), Flags(t.TempDir())...)
	b := &tab{t: t}
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithListener(b.hear)) // Cancel ends it
	b.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			b.screenshot("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
		}
		if ctx.Err() == nil && !b.lazy {
			assert.Empty(t, b.complaints(), "what the browser complains about")
		}
		closing, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		assert.NoError(t, chromedp.Cancel(closing), "closing the browser")
		release()
	})
	b.do(
		call(network.Enable, network.EnableParams{}),
		call(log.Enable, cdp.Empty{}),
		call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watching + seeing}),
	)
	b.emulate(w)
	b.goTo(url)
	return b
}

// goTo opens a page.
func (b *tab) goTo(url string) {
	b.t.Helper()
	host, _ := address(b.t, url)
	b.mu.Lock()
	b.origin = "http://" + host
	b.mu.Unlock()
	b.do(chromedp.Navigate(url))
}

// resize makes the window another one, whose page stays.
func (b *tab) resize(w window) {
	b.t.Helper()
	b.emulate(w)
	b.until(fmt.Sprintf(`innerWidth === %d`, w.width), "the window has its width")
}

func (b *tab) emulate(w window) {
	b.t.Helper()
	b.do(
		chromedp.EmulateViewport(w.width, w.height),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: w.scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
	)
}

// narrow reports whether the window is a narrow one.
func (b *tab) narrow() bool { return eval[int](b, `innerWidth`) < 600 }

// hear takes what the browser tells, between the answers to commands.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; url != "about:blank" && !strings.HasPrefix(url, b.origin+"/") {
			b.trouble = append(b.trouble, "a request that leaves the page's origin: "+url)
		}
	case *network.EventWebSocketCreated:
		b.trouble = append(b.trouble, "a WebSocket: "+e.URL)
	case *page.EventJavascriptDialogOpening:
		b.trouble = append(b.trouble, "a dialog: "+e.Message)
	case *page.EventWindowOpen:
		b.trouble = append(b.trouble, "a window: "+e.URL)
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, "an exception: "+(&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, "in the console: "+consoleText(e))
	case *log.EventEntryAdded:
		if b.failing && e.Entry.Source == log.EntrySourceNetwork {
			return
		}
		b.trouble = append(b.trouble, fmt.Sprintf("in the log: %s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

func consoleText(e *runtime.EventConsoleAPICalled) string {
	var parts []string
	for _, arg := range e.Args {
		parts = append(parts, string(arg.Value)+arg.Description)
	}
	return string(e.Type) + ": " + strings.Join(parts, " ")
}

// of makes the tab that of a subtest until what it returns is called.
func (b *tab) of(t *testing.T) (back func()) {
	whole := b.t
	b.t = t
	return func() { b.t = whole }
}

// requestsMayFail says whether they may, because the server is away or is asked for what
// can't be.
func (b *tab) requestsMayFail(may bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing = may
}

// complaints returns what the browser had to complain about since it was asked last.
func (b *tab) complaints() []string {
	b.t.Helper()
	complaints := eval[[]string](b, `[
		...window.canaries.splice(0).map((what) => 'a script that hostile text has run: ' + what),
		...window.violations.splice(0).map((what) => 'a violation of the policy: ' + what),
	]`)
	b.mu.Lock()
	defer b.mu.Unlock()
	complaints = append(complaints, b.trouble...)
	b.trouble = nil
	return complaints
}

// call makes a step of a command of the protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...)) // the first sets what lives on, so no timeout
}

// eval returns the value of an expression, or what it promises.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, func(p *runtime.EvaluateParams) {
		yes := true
		p.AwaitPromise = &yes
	}))
	require.NoError(b.t, err, "%.300s", expression)
	return value
}

// until waits until an expression is true, and says what it was for.
func (b *tab) until(expression, what string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*patience) // a page that draws nothing doesn't poll
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patience)))
	require.NoError(b.t, err, "waiting until %s: %s", what, expression)
}

// quote makes a JavaScript literal.
func quote(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // tests quote strings, lists and numbers
	}
	return string(text)
}

// press presses keys, one after the other, as somebody who has no mouse does.
func (b *tab) press(keys string) {
	b.t.Helper()
	for _, key := range keys {
		var down, up input.DispatchKeyEventParams
		for _, part := range kb.Encode(key) {
			switch part.Type {
			case kb.KeyDown:
				down = *part
			case kb.KeyChar:
				down.Text, down.UnmodifiedText = part.Text, part.UnmodifiedText // which the page can prevent
			case kb.KeyUp:
				up = *part
			default:
				require.Fail(b.t, "a part of a key press that is not known", "%s", part.Type)
			}
		}
		b.do(call(input.DispatchKeyEvent, down), call(input.DispatchKeyEvent, up))
	}
}

// write writes a text into what has the focus, over what is selected in it.
func (b *tab) write(text string) {
	b.t.Helper()
	b.do(call(input.InsertText, input.InsertTextParams{Text: text}))
}

// click clicks on the middle of the element that an expression finds.
func (b *tab) click(element string) {
	b.t.Helper()
	b.until("Boolean("+element+")", "there is something to click on")
	at := eval[[2]float64](b, `(async () => {
		const found = () => `+element+`; // the list shows one row in this element, then in that
		const middle = () => {
			const r = found()?.getBoundingClientRect();
			return r ? [r.left + r.width / 2, r.top + r.height / 2] : [0, 0];
		};
		found()?.scrollIntoView({block: 'nearest'});
		let at = middle();
		for (let still = 0; still < 3;) {
			await inspector.painted();
			const now = middle();
			still = found() && now.join() === at.join() ? still + 1 : 0;
			at = now;
		}
		return at;
	})()`)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

var reload = chromedp.Reload()

// screenshot keeps what the window shows as build output.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	folder := filepath.Join("build", "screenshots")
	require.NoError(b.t, os.MkdirAll(folder, 0o755))
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644))
}

// pause is how long to wait before one looks again.
const pause = 20 * time.Millisecond

func containing(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) })
}
