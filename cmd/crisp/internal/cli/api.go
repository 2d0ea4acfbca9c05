package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/restcall"
)

const apiHelp = `Make any call of Crisp's REST API, and write the data of its answer as JSON.

The path may begin with /v1/ or not; {website} in it stands for the website of
the credentials. The body is a file (or - for stdin), or JSON that begins with
a brace or bracket. A POST is sent once only, whatever happens.

--paginate asks for page after page of a list whose path ends in the number of
a page, and writes its elements, an object each.

Exit codes: 0 done; 1 Crisp refuses the call; 2 it makes no sense; 3 the
credentials are refused, or may not make it; 4 Crisp can't be reached, or
something else answers in its place.`

const apiExamples = `  crisp api GET website/{website}
  crisp api GET website/{website}/conversations/1 --query filter_unread=1
  crisp api GET website/{website}/people/profiles/1 --paginate --format json
  crisp api PATCH website/{website}/conversation/session_…/state --data '{"state":"resolved"}'`

func (a *app) apiCommand() *cobra.Command {
	var data string
	var query []string
	var paginate bool
	cmd := &cobra.Command{
		Use:               "api METHOD PATH",
		Short:             "Make any call of the REST API",
		Long:              apiHelp,
		Example:           apiExamples,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeCalls,
		RunE: func(cmd *cobra.Command, args []string) error {
			printer, err := a.printer()
			if err != nil {
				return err
			}
			client, found, err := a.client()
			if err != nil {
				return err
			}
			defer client.CloseIdleConnections()
			website := found.WebsiteID
			if website == "" {
				website = found.Token.WebsiteID()
			}
			call, err := restcall.New(args[0], args[1], website, query)
			if err != nil {
				return usageError(err)
			}
			if call.Body, err = a.body(data); err != nil {
				return asUsageError(err)
			}
			if paginate && call.Method != http.MethodGet {
				return usageError(errors.New("--paginate is for GET"))
			}
			if doubt := call.Unknown(paginate); doubt != "" {
				a.note("crisp: %s", doubt)
			}
			if paginate {
				return apiError(call.Pages(cmd.Context(), client, func(element json.RawMessage) error { return printer.Print(jsonItem(element)) }))
			}
			answer, err := call.Do(cmd.Context(), client)
			if err != nil || answer == nil {
				return apiError(err)
			}
			return printer.Print(jsonItem(answer))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&data, "data", "", "the body: a `file`, - for stdin, or JSON")
	flags.StringArrayVar(&query, "query", nil, "a parameter of the query, as `key=value`; again for more")
	flags.BoolVar(&paginate, "paginate", false, "ask for all pages of a list")
	return cmd
}

// body returns the body that --data names; nil for none.
func (a *app) body(data string) (json.RawMessage, error) {
	var text []byte
	var err error
	switch {
	case data == "":
		return nil, nil
	case data == "-":
		text, err = io.ReadAll(a.stdin())
	case strings.ContainsAny(data[:1], "{["):
		text = []byte(data)
	default:
		text, err = os.ReadFile(data)
	}
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if text = bytes.TrimSpace(text); !json.Valid(text) {
		return nil, errors.New("--data is no JSON")
	}
	return text, nil
}

// apiError returns a call's error with its exit code.
func apiError(err error) error {
	switch {
	case errors.Is(err, crisp.ErrUnauthorized), errors.Is(err, crisp.ErrScope):
		return coded{err, exitCredentials}
	default:
		return unlessDone(err)
	}
}

// completeCalls completes methods, then paths.
func completeCalls(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	words := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}
	switch len(args) {
	case 0:
	case 1:
		words = restcall.Paths(args[0])
	default:
		words = nil
	}
	var matching []string
	for _, word := range words {
		if strings.HasPrefix(word, begun) {
			matching = append(matching, word)
		}
	}
	return matching, cobra.ShellCompDirectiveNoFileComp
}
