package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/profile"
	"github.com/crisp-go/crisp/internal/terminal"
)

func (a *app) profileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "List, choose, show and remove the profiles that crisp login made",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List the profiles; the one in use is marked with *",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return a.listProfiles() },
		},
		a.commandOnProfile("use NAME", "Use a profile from now on", a.useProfile),
		a.commandOnProfile("show [NAME]", "Show a profile, without its secrets", a.showProfile),
		a.commandOnProfile("rm NAME", "Remove a profile and its secrets", a.removeProfile),
	)
	return cmd
}

// commandOnProfile returns a command that works on a named profile. If its use has
// "[NAME]", the default is the profile in use.
func (a *app) commandOnProfile(use, short string, do func(folder string, config *profile.Config, name string) error) *cobra.Command {
	args := cobra.ExactArgs(1)
	if use[len(use)-1] == ']' {
		args = cobra.MaximumNArgs(1)
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			_, config, err := a.profiles()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return config.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			folder, config, err := a.profiles()
			if err != nil {
				return err
			}
			name := config.Current
			if len(args) == 1 {
				name = args[0]
			}
			if name == "" {
				return usageError(fmt.Errorf("no profile is in use: name one"))
			}
			if _, err := config.Find(name); err != nil {
				return usageError(err)
			}
			return do(folder, config, name)
		},
	}
}

func (a *app) profiles() (folder string, config *profile.Config, err error) {
	if folder, err = profile.Folder(a.Getenv); err != nil {
		return "", nil, err
	}
	config, err = profile.Read(folder)
	return folder, config, err
}

// shownProfile is a profile as it is shown.
type shownProfile struct {
	Name       string `json:"name"`
	InUse      bool   `json:"in_use"`
	Tier       string `json:"tier"`
	Identifier string `json:"identifier"`
	WebsiteID  string `json:"website_id,omitempty"`
	BaseURL    string `json:"base_url,omitempty"`
	Store      string `json:"store"`
}

func shown(config *profile.Config, name string) shownProfile {
	p := config.Profiles[name]
	return shownProfile{
		Name:       name,
		InUse:      name == config.Current,
		Tier:       string(p.Tier),
		Identifier: p.Identifier,
		WebsiteID:  p.WebsiteID,
		BaseURL:    p.BaseURL,
		Store:      string(p.Store),
	}
}

func (a *app) listProfiles() error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	_, config, err := a.profiles()
	if err != nil {
		return err
	}
	if len(config.Profiles) == 0 {
		a.note("there are no profiles: crisp login makes one")
	}
	for _, name := range config.Names() {
		p := shown(config, name)
		err := printer.Print(output.Item{Value: p, Line: func(style output.Style) string {
			mark := " "
			if p.InUse {
				mark = "*"
			}
			return fmt.Sprintf("%s %-20s %-8s %s", mark, style.Strong(name), p.Tier, terminal.Line(p.Identifier))
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) useProfile(folder string, _ *profile.Config, name string) error {
	return profile.Change(folder, func(config *profile.Config) error {
		config.Current = name
		_, err := config.Find(name)
		return err
	})
}

func (a *app) showProfile(_ string, config *profile.Config, name string) error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	p := shown(config, name)
	return printer.Print(output.Item{Value: p, Line: func(style output.Style) string {
		text := fmt.Sprintf("%s\n  tier        %s\n  identifier  %s", style.Strong(name), p.Tier, terminal.Line(p.Identifier))
		if p.WebsiteID != "" {
			text += "\n  website     " + terminal.Line(p.WebsiteID)
		}
		if p.BaseURL != "" {
			text += "\n  base URL    " + terminal.Line(p.BaseURL)
		}
		return text + "\n  key         in the " + p.Store
	}})
}

// removeProfile removes the secrets first: if that fails, the profile is still listed,
// and can be removed again.
func (a *app) removeProfile(folder string, _ *profile.Config, name string) error {
	return profile.Change(folder, func(config *profile.Config) error {
		p, err := config.Find(name)
		if err != nil {
			return err
		}
		if err := profile.OpenStore(p.Store, folder).Remove(name); err != nil {
			return fmt.Errorf("the profile %q stays, since its key can't be removed: %w", name, err)
		}
		config.Remove(name)
		return nil
	})
}
