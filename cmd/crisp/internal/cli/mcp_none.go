//go:build nomcp

package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// mcpCommand exists without mcp, too, to say that the program was built without it.
func (a *app) mcpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "mcp",
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			return usageError(errors.New("this program was built without mcp (tag nomcp)"))
		},
	}
}
