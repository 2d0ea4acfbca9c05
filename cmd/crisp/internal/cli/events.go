package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
)

func (a *app) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "What Crisp can tell: its 82 events",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.eventsListCommand())
	return cmd
}

func (a *app) eventsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the events",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			printer, err := a.printer()
			if err != nil {
				return err
			}
			for _, event := range crisp.Events() {
				err := printer.Print(output.Item{
					Line:  func(output.Style) string { return fmt.Sprintf("%-40s %s", event.Name, event.Scope) },
					Value: event,
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}
