package main

import (
	"context"
	"log/slog"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// routing brings conversations to those who can answer them.
type routing struct {
	client    *crisp.Client
	websiteID string
	rules     []rule
	desk      desk
}

func newRouting(client *crisp.Client, websiteID string, rules []rule) *routing {
	return &routing{client: client, websiteID: websiteID, rules: rules, desk: desk{rest.Website(client, websiteID)}}
}

// router returns the router with the handlers. A person who answers takes over: from
// then on, no message of the conversation reaches route, until it is resolved.
func (r *routing) router(middleware ...func(crisp.Handler) crisp.Handler) *crisp.Router {
	router := crisp.NewRouter()
	router.Use(middleware...)
	router.Use(
		crisp.Retry(crisp.RetryPolicy{DeadLetter: func(_ context.Context, ev crisp.Event, err error) error {
			slog.Error("a message is not routed", "event", crisp.EventID(ev), "error", err)
			return nil
		}}),
		r.resolveByThanks, // before the pause, which would keep the thanks from it
	)
	crisp.PauseOnHuman(router, r.client, crisp.ResumeOn(func(ev *crisp.SessionSetState) bool {
		return ev.State == crisp.SessionStateResolved
	}))
	router.Use(crisp.IgnoreOperators(), crisp.IgnoreAutomated())
	crisp.On(router, r.route)
	return router
}

// route routes a conversation by the first of its messages that a rule is for. One
// that somebody has already, an operator has answered, or that was routed, stays
// where it is.
func (r *routing) route(ctx context.Context, ev *crisp.MessageSend) error {
	ctx, ref := crisp.Idempotent(ctx), ev.Session()
	conversation, err := r.client.Conversation(ctx, ref)
	if err != nil || conversation.AssignedTo != "" {
		return err
	}
	rule, why := match(r.rules, ev.Text(), conversation.Meta)
	if rule == nil {
		return nil
	}
	switch before, made, err := madeBefore(ctx, r.client, ref); {
	case err != nil:
		return err
	case made && before.message == ev.Fingerprint: // it comes again, since the assignment has failed
		return before.finish(ctx, r.client, ref)
	case made:
		return nil
	}
	answered, err := r.answeredByPerson(ctx, ref)
	if err != nil || answered {
		return err
	}
	made, err := r.desk.decide(ctx, ev, rule, why)
	if err != nil {
		return err
	}
	return made.carryOut(ctx, r.client, ref)
}

// answeredByPerson reports whether an operator has ever answered, also before this
// program was started.
func (r *routing) answeredByPerson(ctx context.Context, ref crisp.SessionRef) (bool, error) {
	for m, err := range r.client.Messages(ctx, ref) {
		if err != nil {
			return false, err
		}
		if visible(m) && byPerson(m) {
			return true, nil
		}
	}
	return false, nil
}

func byPerson(m *crisp.ConversationMessage) bool {
	return m.From == crisp.FromOperator && !m.Automated
}

// visible reports whether the visitor can see a message.
func visible(m *crisp.ConversationMessage) bool {
	return m.Type != crisp.MessageTypeNote && m.Type != crisp.MessageTypeEvent
}
