package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/catalog"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/crisptest"
)

func (a *app) triggerCommand() *cobra.Command {
	var signing signingFlags
	var to string
	var sets []string
	cmd := &cobra.Command{
		Use:     "trigger EVENT",
		Short:   "Send a sample of an event as a signed web hook",
		Example: `  crisp trigger message:send --set content='Hello' --to http://127.0.0.1:8080/hooks`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.trigger(cmd.Context(), args[0], to, sets, signing)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "the `URL` to send to")
	flags.StringArrayVar(&sets, "set", nil, "change the payload: PATH=JSON, or PATH=text, repeatable")
	flags.StringVar(&signing.secretFile, "secret-file", "", "the `file` that holds the secret to sign with")
	flags.StringVar(&signing.urlSecret, "url-secret", "", "add a secret to the URL: PARAM=FILE")
	return cmd
}

func (a *app) trigger(ctx context.Context, name, to string, sets []string, flags signingFlags) error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	if !slices.Contains(catalog.Names(), name) {
		return usageError(catalog.Unknown(name))
	}
	payload, err := json.Marshal(crisptest.Sample(name))
	if err != nil {
		return err
	}
	for _, set := range sets {
		if payload, err = applySet(payload, set); err != nil {
			return usageError(fmt.Errorf("--set: %w", err))
		}
	}
	ev, err := crisp.Decode(name, payload)
	if err != nil {
		return err
	}
	ev.EventMeta().Time = time.Now()
	signing, err := flags.read(a, "secret-file", "url-secret")
	if err != nil {
		return err
	}
	sender, err := forward.NewHTTP(to, signing, 10*time.Second, forward.NewTransport(1))
	if err != nil {
		return usageError(fmt.Errorf("--to: %w", err))
	}
	answer := sender.Send(ctx, forward.Attempt{Event: name, Body: record.FromRTM(ev).Body, Number: 1, Limit: 1})
	delivery := answer.Record(sender.Name(), name, 1, 1)
	if err := printer.Print(record.Record{N: 1, At: time.Now(), What: &delivery}.Item()); err != nil {
		return err
	}
	switch {
	case answer.Accepted:
		return nil
	case answer.Status == 0:
		return coded{errors.New("the target can't be reached"), exitUnreachable}
	default:
		return coded{errors.New("the target refused it"), exitFailed}
	}
}

func applySet(payload []byte, set string) ([]byte, error) {
	at, text, found := strings.Cut(set, "=")
	if !found {
		return nil, fmt.Errorf("%q wants PATH=VALUE", set)
	}
	path, err := jsontext.ParsePath(at)
	if err != nil {
		return nil, err
	}
	value, err := jsontext.ParseValue(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	payload, _, err = jsontext.Set(payload, path, value)
	return payload, err
}
