package crisp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/crisp-go/crisp/internal/delivery"
)

// WithFilter narrows the subscription from the first connection on; see also
// [RTM.Bind].
func WithFilter(f Filter) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		c.filter = f
		return nil
	})
}

// Bind replaces the subscription's filter, on the connection (socket:bind) and
// on all later ones. Empty Events mean those of the router again. Crisp does not
// answer: what it refuses, nobody learns. A filter that is larger than the
// server accepts is [ErrTooLarge], and the one before it stays.
//
// Without a connection it takes effect on the next. Binds are 2.5 s apart at
// least; a call that comes sooner waits, until ctx ends. Calls that wait become one:
// the last filter is sent, and all return its outcome.
func (t *RTM) Bind(ctx context.Context, f Filter) error {
	complete, err := t.cfg.subscriptionFor(t.router, f, t.client.token().Tier)
	if err != nil {
		return err
	}
	warnOfNames(t.client.logger, t.router, complete.Events)
	warnOfFilter(t.client.logger, t.router, complete.Events)
	return t.subscription.bind(ctx, t.stopped, complete)
}

// Rebind has Crisp look up again which websites the token sees (socket:bind with
// an empty object), after a website has installed or removed the plugin. It
// takes part in the pace of [RTM.Bind], and does nothing without a connection: a
// new one sees the new list by itself. Calls that wait become one.
//
// With the context of a handler of plugin:subscription:updated, it returns at once
// if Crisp was asked since that event came. See also [WithAutoRebind].
func (t *RTM) Rebind(ctx context.Context) error {
	return t.subscription.rebind(ctx, t.stopped)
}

// WithAutoRebind calls [RTM.Rebind] whenever plugin:subscription:updated reports that a website has
// installed or removed the plugin. The client subscribes to that event, whatever the filter is.
// Handlers don't wait for the call.
func WithAutoRebind() RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		c.autoRebind = true
		return nil
	})
}

// noteChange looks, on the reading goroutine, at an item that may report a change of the
// token's websites: it counts the change, and marks the item with its number.
func (t *RTM) noteChange(it *delivery.Item) {
	ev, err := t.eventOf(it)
	if err != nil {
		return // handle will report it
	}
	if ev, ok := ev.(*PluginSubscriptionUpdated); ok {
		it.Value = change{ev, t.subscription.changed(t.stopped, ev, t.cfg.autoRebind)}
	}
}

// subscriptionFor completes and checks a filter, and adds the events that the options need.
func (c *rtmConfig) subscriptionFor(r *Router, f Filter, tier Tier) (Filter, error) {
	complete, err := subscriptionFor(r, f, tier)
	if err == nil && c.autoRebind && !slices.Contains(complete.Events, nameSubscriptionUpdated) {
		complete.Events = append(complete.Events, nameSubscriptionUpdated)
		slices.Sort(complete.Events)
	}
	return complete, err
}

// nameSubscriptionUpdated is the event that reports installs and removals of the plugin.
// Tokens of all tiers receive it.
var nameSubscriptionUpdated = (*PluginSubscriptionUpdated)(nil).EventName()

// subscriptionFor completes a filter with the router's events and checks it
// against the tier, so that a subscription that can't work fails before any
// network.
func subscriptionFor(r *Router, f Filter, tier Tier) (Filter, error) {
	f = Filter{Events: slices.Clone(f.Events), Rooms: slices.Clone(f.Rooms), Inboxes: slices.Clone(f.Inboxes)}
	if err := checkFilter(f); err != nil {
		return f, err
	}
	everything := len(f.Events) == 0 && r.wantsAny()
	if len(f.Events) == 0 {
		f.Events = r.registeredNames()
	}
	for _, name := range f.Events {
		if err := receivable(name, tier); err != nil {
			return f, err
		}
	}
	if everything {
		f.Events = append(f.Events, eventsOf(tier)...)
	}
	slices.Sort(f.Events)
	f.Events = slices.Compact(f.Events)
	if len(f.Events) == 0 {
		return f, errors.New("crisp: the router has no handlers to subscribe to events for: register some with On, OnName or OnAny before NewRTM, or give WithFilter the events")
	}
	return f, nil
}

// checkFilter refuses elements that can't be names.
func checkFilter(f Filter) error {
	for _, list := range []struct {
		name string
		of   []string
	}{{"Events", f.Events}, {"Rooms", f.Rooms}, {"Inboxes", f.Inboxes}} {
		if i := slices.Index(list.of, ""); i >= 0 {
			return fmt.Errorf("crisp: Filter.%s[%d] is empty", list.name, i)
		}
		if i := slices.IndexFunc(list.of, hasSpace); i >= 0 {
			return fmt.Errorf("crisp: Filter.%s[%d] has white space around it", list.name, i)
		}
	}
	if i := slices.IndexFunc(f.Rooms, isSessionID); i >= 0 {
		return fmt.Errorf("crisp: Filter.Rooms[%d] is a session's identifier (session_…): rooms are websites", i)
	}
	return nil
}

// receivable returns an error if the catalog says that the tier can't receive an event.
func receivable(name string, tier Tier) error {
	for _, info := range Events() {
		if info.Name == name && !slices.Contains(info.Tiers, tier) {
			return fmt.Errorf("crisp: a %s token can't receive %q, which needs one of %v: remove its handler, or subscribe to other events with WithFilter", tier, name, info.Tiers)
		}
	}
	return nil
}

// eventsOf lists all events that a tier can receive.
func eventsOf(tier Tier) []string {
	var names []string
	for _, info := range Events() {
		if slices.Contains(info.Tiers, tier) {
			names = append(names, info.Name)
		}
	}
	return names
}
