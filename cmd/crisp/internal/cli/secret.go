package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/internal/secrets"
)

func (a *app) secretCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Make a secret, to sign web hooks with or for a URL",
		Long: `Make a secret of 256 random bits, in hex. It can sign web hooks for a program in
development, or be in the URL of a website's web hooks. --out writes it to a new file, which
only its owner can read; without it, the secret is written to stdout.`,
		Example: `  crisp secret --out secret.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			secret := secrets.New()
			if out != "" {
				if err := secrets.Write(out, secret); err != nil {
					return coded{fmt.Errorf("--out: %w", err), exitFailed}
				}
				return nil
			}
			printer, err := a.printer()
			if err != nil {
				return err
			}
			return printer.Print(output.Item{
				Line:  func(output.Style) string { return secret },
				Value: map[string]string{"secret": secret},
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "a new `file` to write the secret to, instead of stdout")
	return cmd
}
