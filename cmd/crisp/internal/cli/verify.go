package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/internal/secrets"
	"github.com/crisp-go/crisp/internal/terminal"
)

// verifyFlags are the flags of crisp verify.
type verifyFlags struct {
	secretFile string
	body       string
	headers    []string
	tolerance  time.Duration
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the signature of a web hook",
		Long: `Check that a web hook was signed with a secret: the one in CRISP_SIGNING_SECRET or
--secret-file. The body is read from a file or from stdin, and has to be as it came.
The program ends with 5 if the signature is not valid, and says why.`,
		Example: `  crisp verify --body body.json --secret-file secret.txt -H 'X-Crisp-Request-Timestamp: 1773569824159' -H 'X-Crisp-Signature: …'`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.verify(f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.body, "body", "-", "the `file` that holds the body; - is stdin")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "a `header` of the request, \"Name: value\", repeatable")
	flags.StringVar(&f.secretFile, "secret-file", "", "the `file` that holds the secret")
	flags.DurationVar(&f.tolerance, "tolerance", 5*time.Minute, "how old, or how far ahead, the signature may be; 0 for any")
	return cmd
}

func (a *app) verify(f verifyFlags) error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	if f.body == "-" && f.secretFile == "-" {
		return usageError(errors.New("--body and --secret-file can't both be stdin"))
	}
	secret, err := f.secret(a)
	if err != nil {
		return err
	}
	header := http.Header{}
	for _, line := range f.headers {
		name, value, found := strings.Cut(line, ":")
		if !found {
			return usageError(errors.New(`--header wants "Name: value"`))
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	var body []byte
	if body, err = a.readFile(f.body); err != nil {
		return asUsageError(fmt.Errorf("--body: %w", err))
	}
	return showVerdict(printer, crisp.Verify(secret, header, body, f.tolerance))
}

// secret returns the secret to verify with.
func (f *verifyFlags) secret(a *app) (string, error) {
	if f.secretFile != "" {
		secret, err := secrets.Read(f.secretFile, a.stdin())
		if err != nil {
			return "", asUsageError(fmt.Errorf("--secret-file: %w", err))
		}
		return secret, nil
	}
	if secret := a.signingSecret(); secret != "" {
		return secret, nil
	}
	return "", usageError(errors.New("there is no secret to check with: set CRISP_SIGNING_SECRET or --secret-file to the one that Crisp, or whoever sent it, signs with"))
}

// showVerdict prints whether a signature is valid.
func showVerdict(printer *output.Printer, invalid error) error {
	verdict := struct {
		Valid  bool   `json:"valid"`
		Reason string `json:"reason,omitempty"`
	}{Valid: invalid == nil}
	line := "valid"
	if invalid != nil {
		verdict.Reason = strings.TrimPrefix(invalid.Error(), "crisp: ")
		line = "invalid: " + terminal.Line(verdict.Reason)
	}
	err := printer.Print(output.Item{Line: func(output.Style) string { return line }, Value: verdict})
	if err == nil && invalid != nil {
		return checkError(errors.New("the signature is not valid"))
	}
	return err
}
