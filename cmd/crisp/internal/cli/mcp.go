//go:build !nomcp

package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/mcpserver"
)

func (a *app) mcpCommand() *cobra.Command {
	var readOnly bool
	var websites []string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Give an agent tools to read, answer and route conversations",
		Long: `Give an agent tools to read, answer and route conversations, by the Model Context Protocol over stdin and stdout.

It may list and read conversations, search people, list operators and wait for events. Unless --read-only is given
it may also answer visitors, add notes, assign conversations and set their states. It can do nothing else, and only
on the websites that --website names; without it, on the website of the credentials.

What visitors wrote reaches the agent in members that are called untrusted_…, with instructions to take it as data.
No rule keeps an agent from being talked round: give one that reads strangers' messages --read-only, or watch it.`,
		Example: `  crisp mcp --read-only
  crisp mcp --profile shop --website 0f2c…

In the configuration of an agent:

  {"mcpServers": {"crisp": {"command": "crisp", "args": ["mcp", "--read-only", "--profile", "shop"]}}}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serveAgent(cmd.Context(), websites, readOnly) },
	}
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "leave out the tools that change something")
	cmd.Flags().StringSliceVar(&websites, "website", nil, "the identifier of a website that the agent may reach; may be repeated")
	return cmd
}

func (a *app) serveAgent(ctx context.Context, websites []string, readOnly bool) error {
	if a.login.KeyStdin {
		return usageError(errors.New("--key-stdin can't be used here, where stdin is the agent's"))
	}
	client, found, err := a.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if len(websites) == 0 && found.WebsiteID != "" {
		websites = []string{found.WebsiteID}
	}
	slices.Sort(websites)
	websites = slices.Compact(websites)
	if len(websites) == 0 {
		return usageError(errors.New("which websites the agent may reach is not said: use --website, or set CRISP_WEBSITE_ID"))
	}
	server := mcpserver.New(mcpserver.Config{
		Client: client, Websites: websites, ReadOnly: readOnly, Version: builtVersion(),
	})
	a.note("the agent may %s on %s", rights(readOnly), words(websites))
	ctx, cancel := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		if err := server.Follow(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, crisp.ErrClosed) {
			a.tell("crisp: no live events: %s", err)
		}
	}()
	err = server.Serve(ctx, &mcp.StdioTransport{})
	cancel()
	<-followed
	return err
}

func rights(readOnly bool) string {
	if readOnly {
		return "read"
	}
	return "read, answer, note, assign and set states"
}
