package crisp

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/crisp-go/crisp/internal/nearest"
)

// An unknown name may be that of a new event, and a filter may be narrower than the handlers on
// purpose. More often both are mistakes, and nothing comes, without an error: so the logger is
// warned.

// warnOfNames warns of a router without handlers, and of names that no event is known to have.
func warnOfNames(logger *slog.Logger, r *Router, names []string) {
	if !r.wantsSomething() {
		logger.Warn("crisp: the router has no handlers: every event is ignored. Register them with On, OnName or OnAny")
	}
	for _, name := range names {
		if known(name) {
			continue
		}
		attrs := []any{slog.String(keyThing, shown(name))}
		if meant := nearestName(name); meant != "" {
			attrs = append(attrs, slog.String("did_you_mean", meant))
		}
		logger.Warn("crisp: no event of this name is known (OnName, Filter.Events): if it is not a new one, nothing comes", attrs...)
	}
}

// warnOfFilter warns of handlers whose events are not subscribed to.
func warnOfFilter(logger *slog.Logger, r *Router, subscribed []string) {
	for _, name := range r.registeredNames() {
		same := func(other string) bool { return canonicalName(other) == canonicalName(name) }
		if !slices.ContainsFunc(subscribed, same) {
			logger.Warn("crisp: a handler gets no events, because Filter.Events does not have the event's name: add it, or leave Events empty",
				slog.String(keyThing, shown(name)))
		}
	}
}

// nearestName returns the name on the wire of the event that was probably meant, to judge by its
// names on the wire and in Go; empty if none is likely.
func nearestName(name string) string {
	const longest = 100 // of what is compared: more than any name has
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(name)
	found, least := "", max(2, len(name)/4)+1
	for _, entry := range catalog {
		for _, spelling := range append([]string{entry.info.Name, strings.ToLower(entry.info.GoType)}, entry.aliases...) {
			if d := nearest.Distance(name, spelling); d < least {
				found, least = entry.info.Name, d
			}
		}
	}
	return found
}
