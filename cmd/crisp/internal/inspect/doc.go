// Package inspect shows what happens on a page of this machine's browser: events as they
// come, what they hold and what became of them, and lets one be changed and sent again.
//
//	stream ──Add──▶ Ring ──▶ api.go, stream.go ──▶ page/
//
// The ring is the one state there is, and knows nothing of HTTP. guard.go says who may ask.
package inspect
