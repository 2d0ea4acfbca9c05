// Package browser holds the tests of the inspector, the page of the command
// crisp, in a real Chromium: the command is installed and started, the page is
// used as people use it, with mouse and keys, and what the browser has to
// complain about is a failure. It is a module of its own, so that what drives a
// browser is nobody else's dependency.
//
// The tests need the build tag browser, Chromium and an `npm ci` in the folder
// node; `.ci/run browser` does all that. What they make is in the folder build:
// the command, and the screenshots.
package browser
