// Package crisp receives Crisp's realtime events, over the RTM API and over
// web hooks, as typed Go values through one router.
package crisp
