// Package operations tests what docs/operations.md and docs/operations have: that each alert fires at its
// fault, and only then, and that the dashboard shows what there is. It is a module of its own, so that Prometheus is
// nobody else's dependency.
//
// Its tests don't run with the race detector, which would take minutes to build Prometheus and to evaluate all rules over hours:
// what runs side by side in the programs that are observed is tested where it is.
package operations
