// Package operations tests docs/operations.md and the files in docs/operations: each alert fires at its
// fault, and only then, and each query of the dashboard has data to show. It is a module of its own, so that Prometheus is
// nobody else's dependency.
//
// Its tests don't run with the race detector, which would take minutes to build Prometheus and to evaluate all rules over hours:
// the concurrent code of the observed programs has race tests in its own packages.
package operations
