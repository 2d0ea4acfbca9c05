// Package bridgetest has an engine in memory for package bridge, and the tests that
// every engine must pass.
//
// Programs test what they do behind the bridge with [NewLog]. Engines are tested with
// [Run].
package bridgetest
