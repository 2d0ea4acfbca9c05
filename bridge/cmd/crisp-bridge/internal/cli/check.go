package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
	"github.com/crisp-go/crisp/internal/nearest"
)

// checkPatience is how long each thing that is asked may take to answer.
const checkPatience = 15 * time.Second

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Find out whether the bridge would run",
		Long: `Find out whether the bridge would run: read the configuration, ask Crisp whether
the token may use the RTM API, and open the engine. It stores no message, but makes
what the engine lacks, as a run would. A log that is there keeps its settings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context()) },
	}
}

func (a *app) check(ctx context.Context) error {
	c, err := a.configIn()
	if err != nil {
		return err
	}
	a.line(a.Stdout, "configuration: ok")
	a.warnOfEvents(c.RTM.Events)
	var problems []error
	for _, step := range []struct {
		name string
		try  func(context.Context, config.Config) (string, error)
	}{
		{"crisp", a.checkCrisp},
		{"engine", a.checkEngine},
	} {
		patience, cancel := context.WithTimeout(ctx, checkPatience)
		said, err := step.try(patience, c)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: %w", step.name, err))
		default:
			a.line(a.Stdout, step.name+": "+said)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	code := exitCode(problems[0])
	if code == exitFailed {
		code = exitCheck
	}
	return coded{errors.Join(problems...), code}
}

// warnOfEvents tells of names that no event has, as far as is known: nothing would come
// by them, and nobody would say so.
func (a *app) warnOfEvents(names []string) {
	var known []string
	for _, info := range crisp.Events() {
		known = append(known, info.Name)
	}
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		meant := ""
		if found := nearest.To(name, known); len(found) > 0 {
			meant = ": did you mean " + found[0] + "?"
		}
		a.line(a.Stderr, "crisp-bridge: rtm.events: "+name+" is no event that this version knows"+meant)
	}
}

// checkCrisp asks for the endpoint of the RTM API, as a run does first.
func (a *app) checkCrisp(ctx context.Context, c config.Config) (string, error) {
	if !c.Has(config.TransportRTM) {
		return "not asked: the RTM API is not in use", nil
	}
	var opts []crisp.Option
	if c.Crisp.BaseURL != "" {
		opts = append(opts, crisp.WithBaseURL(c.Crisp.BaseURL))
	}
	client, err := crisp.New(c.Token(), opts...)
	if err != nil {
		return "", err
	}
	defer client.CloseIdleConnections()
	if _, err := client.ConnectEndpoints(ctx); err != nil {
		return "", err
	}
	return "ok, the token may use the RTM API", nil
}

func (a *app) checkEngine(ctx context.Context, c config.Config) (string, error) {
	e, err := engine.Open(ctx, c, slog.Default(), engine.ToCheck)
	if err != nil {
		return "", err
	}
	err = e.Ping(ctx)
	return "ok, " + c.Engine.Kind, errors.Join(err, closeEngine(ctx, e))
}
