// Command root calls REST by package crisp alone.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/crisp-go/crisp"
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
}
