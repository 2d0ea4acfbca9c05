package crispotel

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// Attributes of this package's own.
const (
	keySource   = attribute.Key("crisp.source")
	keyBehind   = attribute.Key("crisp.behind_bridge")
	keyWebsite  = attribute.Key("crisp.website.id")
	keyAttempt  = attribute.Key("crisp.delivery.attempt")
	keyWaited   = attribute.Key("crisp.rest.waited")
	keyReason   = attribute.Key("crisp.gap.reason")
	keyComplete = attribute.Key("crisp.backfill.complete")
	keyOutcome  = attribute.Key("crisp.bridge.outcome")
)

var system = semconv.MessagingSystemKey.String("crisp")

// other stands for all values of an attribute that are not among those few that it may have.
const other = "_OTHER"

// names are the events that attributes may name.
type names map[string]string

// aliases are the names of events that come under several.
var aliases = map[string]string{"session:updated": "session:update_verify"}

func newNames(more []string) names {
	all := make(names)
	for _, info := range crisp.Events() {
		all[info.Name] = info.Name
	}
	for alias, name := range aliases {
		all[alias] = name
	}
	for _, name := range append([]string{bridge.TypeGap, bridge.TypeBackfilled, bridge.TypeDropped}, more...) {
		all[name] = name
	}
	return all
}

// of returns what an attribute may have of an event's name.
func (n names) of(name string) string {
	if known, ok := n[name]; ok {
		return known
	}
	return other
}

// sourceOf is how an event came, as one of few values.
func sourceOf(s crisp.Source) string {
	switch s {
	case crisp.SourceRTM, crisp.SourceWebhook, crisp.SourceBackfill, crisp.SourceReplay:
		return string(s)
	}
	return other
}

// websiteOf is a website's identifier, or nothing if it doesn't look like one.
func websiteOf(id string) string {
	if len(id) != 36 {
		return ""
	}
	for i := range len(id) {
		switch c := id[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return ""
			}
		case !isHex(c):
			return ""
		}
	}
	return id
}

// conversationOf is a conversation's identifier, or nothing if it doesn't look like one.
func conversationOf(id string) string {
	if uuid, ok := strings.CutPrefix(id, "session_"); ok && websiteOf(uuid) != "" {
		return id
	}
	return ""
}

// eventIDOf is an event's identifier ([crisp.EventID]), or nothing if it doesn't look like one.
func eventIDOf(id string) string {
	if len(id) != 64 {
		return ""
	}
	for i := range len(id) {
		if !isHex(id[i]) {
			return ""
		}
	}
	return strings.Clone(id)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
