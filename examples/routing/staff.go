package main

import (
	"context"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// staff is who works for the website of the demonstration.
type staff struct {
	ada, bob, chloe *crisptest.Operator
	billing         string // identifier of the inbox
}

// addStaff adds the operators and the inbox that the example's rules name. Ada and Bob
// are there, Chloe is not.
func addStaff(ctx context.Context, srv *crisptest.Server) (*staff, error) {
	add := func(userID, email, name string) *crisptest.Operator {
		return srv.AddOperator(crisptest.WebsiteID, crisptest.OperatorProfile{UserID: userID, Email: email, FirstName: name})
	}
	s := &staff{
		ada:   add("operator-Ada", "ada@example.com", "Ada"),
		bob:   add("operator-Bob", "bob@example.com", "Bob"),
		chloe: add("operator-Chloe", "chloe@example.com", "Chloe"),
	}
	s.ada.Arrive()
	s.bob.Arrive()
	// Crisp lets users add inboxes, not plugins.
	admin, err := crisp.New(srv.TokenFor(crisp.TierUser), crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
	if err != nil {
		return nil, err
	}
	defer admin.CloseIdleConnections()
	s.billing, err = rest.Website(admin, crisptest.WebsiteID).Inboxes.Create(ctx, rest.InboxInput{Name: rest.Set("Billing")})
	return s, err
}
