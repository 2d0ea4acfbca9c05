package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
)

// completeEventNames completes the names of events, for a command's arguments.
func completeEventNames(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, info := range eventinfo.All() {
		if strings.HasPrefix(info.Name, begun) {
			names = append(names, cobra.CompletionWithDesc(info.Name, info.Summary))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeEvents completes the names of events, for a flag.
func (a *app) completeEvents(cmd *cobra.Command, flag string) {
	a.complete(cmd, flag, completeEventNames)
}

// completeWords completes a flag with one of the words.
func (a *app) completeWords(cmd *cobra.Command, flag string, words ...string) {
	a.complete(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

func (a *app) complete(cmd *cobra.Command, flag string, how cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, how); err != nil {
		panic("completion of --" + flag + ": " + err.Error()) // no such flag, or it has a completion already
	}
}
