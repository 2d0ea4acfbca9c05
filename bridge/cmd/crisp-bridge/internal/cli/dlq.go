package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
)

func (a *app) dlqCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "dlq",
		Short: "See, replay and discard what handlers have given up",
		Long: `See, replay and discard dead letters: messages that the handlers of a group could not
handle, with the error of the last attempt.`,
	})
	cmd.AddCommand(a.dlqListCommand(), a.dlqShowCommand(), a.dlqReplayCommand(), a.dlqDiscardCommand())
	return cmd
}

func (a *app) dlqListCommand() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use:   "list GROUP",
		Short: "List dead letters, the oldest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), func(ctx context.Context, e engine.Engine) error {
				for letter, err := range e.Letters(ctx, args[0]) {
					if err != nil {
						return err
					}
					if err := a.show(f, letterLine(letter), shownLetter(letter, false)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (a *app) dlqShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show GROUP ID",
		Short: "Show a dead letter with its payload, as JSON",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), func(ctx context.Context, e engine.Engine) error {
				letters, err := find(ctx, e, args[0], args[1:])
				if err != nil {
					return err
				}
				return a.show(formatJSON, "", shownLetter(letters[0], true))
			})
		},
	}
}

func (a *app) dlqReplayCommand() *cobra.Command {
	return a.dlqActCommand(&cobra.Command{
		Use:   "replay GROUP ID…",
		Short: "Put dead letters back into the log",
		Long: `Put dead letters back into the log, for their group alone, behind what has come since.
The letters are removed.`,
	}, "replayed", engine.Engine.Replay)
}

func (a *app) dlqDiscardCommand() *cobra.Command {
	return a.dlqActCommand(&cobra.Command{
		Use:   "discard GROUP ID…",
		Short: "Remove dead letters",
	}, "discarded", engine.Engine.Discard)
}

// dlqActCommand is a command that does the same with each letter.
func (a *app) dlqActCommand(cmd *cobra.Command, done string, act func(engine.Engine, context.Context, engine.Letter) error) *cobra.Command {
	var all bool
	cmd.Flags().BoolVar(&all, "all", false, "all letters of the group")
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if all == (len(args) > 1) {
			return usageError(errors.New("it needs the IDs of letters, or --all"))
		}
		return a.withEngine(cmd.Context(), func(ctx context.Context, e engine.Engine) error {
			letters, err := find(ctx, e, args[0], args[1:])
			if err != nil {
				return err
			}
			for i, letter := range letters {
				if err := act(e, ctx, letter); err != nil {
					return fmt.Errorf("%d of %d were %s: %w", i, len(letters), done, err)
				}
			}
			a.line(a.Stdout, fmt.Sprintf("%d %s", len(letters), done))
			return nil
		})
	}
	return cmd
}

// find returns the letters of a group that have certain IDs; all if there are none.
func find(ctx context.Context, e engine.Engine, group string, ids []string) (found []engine.Letter, err error) {
	for letter, err := range e.Letters(ctx, group) {
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 || slices.Contains(ids, letter.ID) {
			found = append(found, letter)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(found, func(l engine.Letter) bool { return l.ID == id }) {
			return nil, fmt.Errorf("the group %s has no letter %s: crisp-bridge dlq list says which there are", group, id)
		}
	}
	return found, nil
}

// withEngine runs something with the engine of the configuration.
func (a *app) withEngine(ctx context.Context, run func(context.Context, engine.Engine) error) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	e, err := engine.Open(ctx, c, slog.Default(), engine.ToLook)
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, e), closeEngine(ctx, e))
}

// letter is the JSON of a dead letter.
type letter struct {
	ID       string    `json:"id"`
	Group    string    `json:"group"`
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"`
	Message  message   `json:"message"`
}

func shownLetter(l engine.Letter, payload bool) letter {
	shown := letter{ID: l.ID, Group: l.Group, At: l.At, Attempts: l.Attempts, Error: l.Error, Message: shownMessage(l.Message)}
	if !payload {
		shown.Message.Data = nil
	}
	return shown
}

func letterLine(l engine.Letter) string {
	return fmt.Sprintf("%s  %s  %s  %s  %s  %d attempts  %s",
		l.ID, l.Group, l.At.Local().Format(time.DateTime), l.Message.Type, l.Message.Key(), l.Attempts, l.Error)
}
