// Command rest does what root does, and three calls of package rest.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

func main() {
	ctx := context.Background()
	client, err := crisp.New(crisp.PluginToken(os.Args[1], os.Args[2]))
	if err != nil {
		panic(err)
	}
	for c, err := range client.Conversations(ctx, os.Args[3], crisp.ConversationQuery{}) {
		fmt.Println(c, err)
	}
	site := rest.Website(client, os.Args[3])
	for p, err := range site.People.Profiles(ctx, rest.ProfilesQuery{}) {
		fmt.Println(p.PeopleID, err)
	}
	id, err := site.People.CreateProfile(ctx, rest.ProfileCard{Email: rest.Set("ada@example.com")})
	fmt.Println(id, err)
	operators, err := site.Operators.List(ctx)
	fmt.Println(len(operators), err)
}
