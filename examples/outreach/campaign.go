package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/crisp-go/crisp/rest"
)

// campaign is a letter to all contacts of a segment who get emails.
type campaign struct {
	Name     string // a name is used once
	Subject  string
	Template string // its name
	Segment  string
}

func (c campaign) check() error {
	if c.Name == "" || c.Subject == "" || c.Template == "" || c.Segment == "" {
		return errors.New("a campaign needs a name, a subject, a template and a segment")
	}
	return nil
}

// prepare makes the campaign, or goes on with one of that name that was made, and
// returns its identifier. It is an error if it was dispatched before.
func (c campaign) prepare(ctx context.Context, site *rest.Site) (id string, err error) {
	if err := c.check(); err != nil {
		return "", err
	}
	template, err := c.findTemplate(ctx, site)
	if err != nil {
		return "", err
	}
	people, err := c.recipients(ctx, site)
	if err != nil {
		return "", err
	}
	if id, err = c.findOrCreate(ctx, site); err != nil {
		return "", err
	}
	err = site.Campaigns.Update(ctx, id, rest.CampaignInput{
		Format:     rest.Set(template.Format),
		Subject:    rest.Set(c.Subject),
		Message:    rest.Set(template.Content),
		Recipients: &rest.CampaignRecipientsInput{Type: rest.Set("people"), People: people},
		Options:    &rest.CampaignOptionsInput{DeliverToEmail: rest.Set(true), DeliverToChatbox: rest.Set(false)},
	})
	if err != nil {
		return "", err
	}
	return id, verify(ctx, site, id, people)
}

func (c campaign) findTemplate(ctx context.Context, site *rest.Site) (*rest.Template, error) {
	for t, err := range site.Templates.List(ctx, rest.TemplatesQuery{SearchName: c.Template}) {
		if err != nil {
			return nil, err
		}
		if t.Name == c.Template {
			return site.Templates.Get(ctx, t.TemplateID)
		}
	}
	return nil, fmt.Errorf("there is no template %q", c.Template)
}

// recipients returns the contacts of the segment who get emails.
func (c campaign) recipients(ctx context.Context, site *rest.Site) (peopleIDs []string, err error) {
	query := rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{{
		Model: rest.Set("people"), Criterion: rest.Set("segments"), Operator: rest.Set("eq"), Query: []string{c.Segment},
	}}}
	for profile, err := range site.People.Profiles(ctx, query) {
		if err != nil {
			return nil, err
		}
		if !slices.Contains(profile.Segments, c.Segment) {
			continue
		}
		subscription, err := site.People.Subscription(ctx, profile.PeopleID)
		if err != nil {
			return nil, err
		}
		if subscription.Email {
			peopleIDs = append(peopleIDs, profile.PeopleID)
		}
	}
	if len(peopleIDs) == 0 {
		return nil, fmt.Errorf("nobody in the segment %q gets emails", c.Segment)
	}
	return peopleIDs, nil
}

// findOrCreate returns the identifier of the campaign of this name.
func (c campaign) findOrCreate(ctx context.Context, site *rest.Site) (id string, err error) {
	for found, err := range site.Campaigns.List(ctx, rest.CampaignsQuery{SearchName: c.Name}) {
		switch {
		case err != nil:
			return "", err
		case found.Name != c.Name:
		case found.Dispatched:
			return "", fmt.Errorf("the campaign %q was dispatched before", c.Name)
		default:
			return found.CampaignID, nil
		}
	}
	return site.Campaigns.Create(ctx, "one-shot", c.Name)
}

// verify returns an error unless a campaign can be sent, and to nobody else: a letter
// that was sent can't be called back.
func verify(ctx context.Context, site *rest.Site, id string, people []string) error {
	made, err := site.Campaigns.Get(ctx, id)
	if err != nil {
		return err
	}
	if !made.Ready {
		return fmt.Errorf("the campaign %q lacks something: it is not ready", made.Name)
	}
	for recipient, err := range site.Campaigns.Recipients(ctx, id) {
		if err != nil {
			return err
		}
		if !slices.Contains(people, recipient.PeopleID) {
			return fmt.Errorf("the campaign %q would go to others, too: it is not dispatched", made.Name)
		}
	}
	return nil
}
