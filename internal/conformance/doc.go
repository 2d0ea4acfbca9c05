// Package conformance holds tests of the library against peers that others
// wrote: what the library's own fakes and the library agree on could still be
// a common mistake. It is a module of its own, so that programs that import
// the library don't get these peers in their module graph.
//
// The Socket.IO server that Go has is tested against always. The peers that
// run in Node, which are real Socket.IO servers of three generations, their
// clients and the official Crisp SDK, need the build tag conformance and an
// `npm ci` in the folder node; `.ci/run conformance` does both.
package conformance
