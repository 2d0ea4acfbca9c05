package rest_test

import (
	"context"
	"fmt"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// Contacts are listed page by page as the loop goes on.
func ExampleWebsite() {
	ctx := context.Background()
	client, err := crisp.New(crisp.PluginToken("identifier", "key"))
	if err != nil {
		panic(err)
	}
	site := rest.Website(client, "website-id")
	for profile, err := range site.People.Profiles(ctx, rest.ProfilesQuery{SearchText: "ada"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(profile.PeopleID, profile.Person.Nickname)
	}
}

// What is not set stays as it is; what is null is cleared.
func ExampleOpt() {
	ctx := context.Background()
	client, err := crisp.New(crisp.PluginToken("identifier", "key"))
	if err != nil {
		panic(err)
	}
	people := rest.Website(client, "website-id").People
	err = people.UpdateProfile(ctx, "ada@example.com", rest.ProfileCard{
		Notepad: rest.Null[string](),
		Person:  &rest.PersonInput{Nickname: rest.Set("Ada"), Phone: rest.Set("+15550100")},
	})
	if err != nil {
		fmt.Println(err)
	}
}

// The catalog says which call makes a route, and with which tokens.
func ExampleRoutes() {
	for _, route := range rest.Routes() {
		if route.Path == "website/{website_id}/people/stats" {
			fmt.Println(route.Method, route.Tiers, route.Call)
		}
	}
	// Output: GET [user plugin] site.People.Statistics
}
