// Package operations tests what docs/operations.md and docs/operations have: that each alert fires at its
// fault, and only then, and that the dashboard shows what there is. It is a module of its own, so that Prometheus is
// nobody else's dependency.
package operations
