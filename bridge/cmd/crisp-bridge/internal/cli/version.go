package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a.line(a.Stdout, "crisp-bridge "+builtVersion()+" ("+runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH+")")
			return nil
		},
	}
}

// builtVersion returns the version that the program was installed in, or the
// library's if it was built from a checkout.
func builtVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return crisp.Version
}
