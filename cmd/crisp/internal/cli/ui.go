package cli

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/pflag"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/inspect"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/trigger"
)

// uiAnywhere is the value of --ui when no address is given.
const uiAnywhere = "default"

func addUI(flags *pflag.FlagSet, value *string) {
	flags.StringVar(value, "ui", "", "show what comes on a page, at 127.0.0.1:7702 or another `ADDRESS` of this machine")
	flags.Lookup("ui").NoOptDefVal = uiAnywhere
}

// checkUI returns what is wrong with --ui.
func checkUI(flags *pflag.FlagSet, value string) error {
	if !flags.Changed("ui") || value == uiAnywhere {
		return nil
	}
	if err := inspect.CheckAddr(value); err != nil {
		return usageError(fmt.Errorf("--ui: %w", err))
	}
	return nil
}

// startUI starts the inspector and prints its URL.
func (a *app) startUI(value string, cfg inspect.Config) (*inspect.Server, error) {
	if value != uiAnywhere {
		cfg.Addr = value
	}
	var err error
	if cfg.Token, err = inspect.Token(a.Getenv); err != nil && !errors.Is(err, inspect.ErrNotKept) {
		return nil, coded{fmt.Errorf("--ui: %w", err), exitFailed}
	}
	if err != nil {
		a.note("--ui: %s", err)
	}
	server, err := inspect.Start(cfg)
	if err != nil {
		return nil, coded{fmt.Errorf("--ui: %w", err), exitFailed}
	}
	a.tell("inspect at %s", server.URL())
	return server, nil
}

// fillRing adds the records that earlier runs left in a capture to a ring.
func fillRing(ring *inspect.Ring, path string) error {
	return capture.Tail(path, ring.Size().Max, func(run string, r record.Record) {
		ring.Add(inspect.FromRecord(run, r))
	})
}

// uiTargets returns the targets that the page can send to. Those with a URL can also
// be sent deliveries with a wrong signature.
func (f *outputFlags) uiTargets(targets []forward.Target, signing forward.Signing, transport http.RoundTripper) (list []inspect.Target) {
	for i, target := range targets {
		of := inspect.Target{Sender: target.Sender}
		if i < len(f.targets) { // the others are commands
			wrong, err := forward.NewHTTP(f.targets[i], trigger.Delivery{BadSignature: true}.Signing(signing), f.timeout, transport)
			if err == nil {
				of.Wrong = wrong
			}
		}
		list = append(list, of)
	}
	return list
}
