package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/inspect"
)

// uiFlag is --ui[=ADDR].
type uiFlag struct {
	addr  string
	isSet bool
}

// uiDefault stands for the address that is chosen if none is given.
const uiDefault = "default"

func (f *uiFlag) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.addr, "ui", "", "show what comes on a page of this machine's browser, at an `address` (without, "+inspect.DefaultAddr+" or behind it)")
	flags.Lookup("ui").NoOptDefVal = uiDefault
}

// open serves the page.
func (f *uiFlag) open(a *app, cfg inspect.Config) (*inspect.Server, error) {
	addr := f.addr
	if addr == uiDefault {
		addr = ""
	}
	listener, err := inspect.Listen(addr)
	var unfit inspect.AddrError
	switch {
	case errors.As(err, &unfit):
		return nil, usageError(fmt.Errorf("--ui: %w", err))
	case err != nil:
		return nil, coded{fmt.Errorf("--ui: %w", err), exitFailed}
	}
	token, kept := inspect.Token(a.stateFolder())
	if kept != nil {
		a.note("the page has to be opened anew after a restart, since its token can't be kept: %s", kept)
	}
	cfg.Token, cfg.Version = token, crisp.Version
	server := inspect.Serve(listener, cfg)
	a.tell("inspect at %s", server.URL())
	return server, nil
}

// stateFolder is where the command keeps what it knows from one run to the next:
// $XDG_STATE_HOME/crisp, or the usual place of it.
func (a *app) stateFolder() string {
	if xdg := a.Getenv("XDG_STATE_HOME"); filepath.IsAbs(xdg) { // the specification has others ignored
		return filepath.Join(xdg, "crisp")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "crisp")
}
