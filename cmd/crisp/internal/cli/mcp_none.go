//go:build nomcp

package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// mcpCommand is there in a smaller program, too, to say what it lacks.
func (a *app) mcpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "mcp",
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			return usageError(errors.New("this program was built without mcp (tag nomcp)"))
		},
	}
}
