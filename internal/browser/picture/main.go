// Command picture makes a picture of a page on loopback, for the documentation:
//
//	go run ./picture -o inspector.png -size 1280x800 -scheme dark -press 'kc' URL
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/crisp-go/crisp/internal/browser"
)

type options struct {
	url, out, size, scheme, press, until string
}

func main() {
	var o options
	flag.StringVar(&o.out, "o", "page.png", "the `file` to write")
	flag.StringVar(&o.size, "size", "1280x800", "`WIDTHxHEIGHT` of the window")
	flag.StringVar(&o.scheme, "scheme", "light", "the colour scheme: light or dark")
	flag.StringVar(&o.until, "until", "true", "a JavaScript `expression` that is true when the page is ready")
	flag.StringVar(&o.press, "press", "", "the `keys` to press then")
	flag.Parse()
	o.url = flag.Arg(0)
	if err := take(o); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func take(o options) (err error) {
	var width, height int64
	if _, err := fmt.Sscanf(o.size, "%dx%d", &width, &height); err != nil {
		return fmt.Errorf("-size: %w", err)
	}
	folder, err := os.MkdirTemp("", "picture")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	allocator, release := chromedp.NewExecAllocator(context.Background(), browser.Flags(folder)...)
	defer release()
	ctx, _ := chromedp.NewContext(allocator) // Cancel ends it
	defer func() { err = errors.Join(err, chromedp.Cancel(ctx)) }()
	err = chromedp.Do(ctx,
		chromedp.EmulateViewport(width, height),
		scheme(o.scheme),
		chromedp.Navigate(o.url),
	)
	if err != nil {
		return err
	}
	if _, err = chromedp.Run(ctx, chromedp.Poll[bool](o.until, chromedp.WithPollingTimeout(time.Minute))); err != nil {
		return fmt.Errorf("waiting until %s: %w", o.until, err)
	}
	for _, key := range o.press {
		// What a key does may take an answer of the server.
		if err = chromedp.Do(ctx, chromedp.KeyEvent(string(key)), chromedp.Sleep(500*time.Millisecond)); err != nil {
			return err
		}
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, png, 0o644) //nolint:gosec // everybody may look at it
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}
