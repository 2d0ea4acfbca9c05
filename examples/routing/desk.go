package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/crisp-go/crisp/rest"
)

// desk looks up the website's operators and inboxes. It asks Crisp each time, since
// operators come and go, and a conversation is routed only once.
type desk struct{ site *rest.Site }

// operator is somebody who can get a conversation.
type operator struct{ userID, name string }

// available returns those of the operators with these email addresses who are online,
// in this order.
func (d desk) available(ctx context.Context, emails []string) ([]operator, error) {
	if len(emails) == 0 {
		return nil, nil
	}
	all, err := d.operators(ctx)
	if err != nil {
		return nil, err
	}
	states, err := d.site.Availability.Operators(ctx)
	if err != nil {
		return nil, err
	}
	online := make(map[string]bool)
	for _, state := range states {
		online[state.UserID] = state.Type == "online"
	}
	var available []operator
	for _, email := range emails {
		if o, known := all[strings.ToLower(email)]; known && online[o.userID] {
			available = append(available, o)
		}
	}
	return available, nil
}

// operators returns the operators by email address.
func (d desk) operators(ctx context.Context) (map[string]operator, error) {
	entries, err := d.site.Operators.List(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]operator)
	for _, entry := range entries {
		info := entry.Details
		name := strings.TrimSpace(info.FirstName + " " + info.LastName)
		if name == "" {
			name = info.Email
		}
		if info.UserID != "" { // one who was invited may have none yet
			all[strings.ToLower(info.Email)] = operator{info.UserID, name}
		}
	}
	return all, nil
}

// inboxes returns the identifiers of the inboxes by name.
func (d desk) inboxes(ctx context.Context) (map[string]string, error) {
	all := make(map[string]string)
	for inbox, err := range d.site.Inboxes.List(ctx) {
		if err != nil {
			return nil, err
		}
		all[inbox.Name] = inbox.InboxID
	}
	return all, nil
}

// check returns an error if rules name an operator or inbox that the website doesn't have.
func (d desk) check(ctx context.Context, rules []rule) error {
	operators, err := d.operators(ctx)
	if err != nil {
		return err
	}
	inboxes, err := d.inboxes(ctx)
	if err != nil {
		return err
	}
	for _, r := range rules {
		for _, email := range r.Operators {
			if _, known := operators[strings.ToLower(email)]; !known {
				return fmt.Errorf("the rule %s: the website has no operator %s", r.Name, email)
			}
		}
		if _, known := inboxes[r.Inbox]; r.Inbox != "" && !known {
			return fmt.Errorf("the rule %s: the website has no inbox %q", r.Name, r.Inbox)
		}
	}
	return nil
}
