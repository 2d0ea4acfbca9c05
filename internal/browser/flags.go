package browser

import "github.com/chromedp/chromedp"

// nowhere is a proxy that is not there. Chromium calls home for itself whatever its flags
// say; it gets no further.
const nowhere = "http://127.0.0.1:9"

// Flags are those of a Chromium without a window, which reaches loopback only. It keeps
// what it keeps in a folder, which has to be new and empty.
func Flags(folder string) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.Flag("user-data-dir", folder),
		chromedp.Flag("proxy-server", nowhere),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps",
		"disable-extensions", "disable-dev-shm-usage", "disable-background-timer-throttling",
		"disable-renderer-backgrounding", "disable-backgrounding-occluded-windows", "metrics-recording-only", "hide-scrollbars",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	return options
}
