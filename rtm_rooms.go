package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// If one website of Filter.Rooms has removed the plugin, or was never open to the token, Crisp
// refuses the whole authentication. Such websites are left out, so that one of them does not
// end the client for all others.

// roomsTimeout bounds the search for the websites that are refused.
const roomsTimeout = time.Minute

// leaveOutRooms leaves out the rooms for which an authentication was refused. It returns nil
// if another attempt makes sense. again says that rooms were left out before this attempt.
func (t *RTM) leaveOutRooms(ctx context.Context, refusal error, again bool) error {
	rooms := t.subscription.current().Rooms
	if len(rooms) == 0 {
		return refusal
	}
	refused, err := t.refusedRooms(ctx, rooms, refusal, again)
	switch {
	case err != nil && fatal(err, false):
		return fmt.Errorf("%w (whether it is because of the websites in Filter.Rooms can't be found out: %w)", refusal, err)
	case err != nil: // not ErrUnauthorized, which would end the client: the credentials may be right
		return fmt.Errorf("crisp: credentials or a website of Filter.Rooms refused, and which of the two can't be found out: %s: %w", refusal.Error(), err)
	case len(refused) == 0:
		return refusal
	}
	fresh, left := t.subscription.leaveOut(refused)
	err = fmt.Errorf("%w: %s", ErrRoom, someOf(refused))
	if len(fresh) > 0 {
		t.client.logger.Warn("crisp: RTM leaves out websites", slog.Any("error", err), slog.Int("left", left))
		notify(t.callbacks, t.cfg.hooks.RoomsRefused, RoomsRefused{Rooms: fresh, Left: left, Err: err})
	}
	if left == 0 {
		return fmt.Errorf("%w, and Filter.Rooms has no other", err)
	}
	return nil
}

// refusedRooms returns the rooms that the token has no access to: those that the refusal
// names, or else those that are not on the list of the plugin's websites. A refusal may name
// only the first of many: after another, the list is looked at, which shows all of them.
func (t *RTM) refusedRooms(ctx context.Context, rooms []string, refusal error, again bool) ([]string, error) {
	named := roomsNamedBy(refusal, rooms)
	if t.client.token().Tier != TierPlugin || len(named) > 0 && !again {
		return named, nil
	}
	missing, err := t.roomsNotListed(ctx, rooms)
	if len(missing) == 0 && len(named) > 0 { // even if the list could not be fetched
		return named, nil
	}
	return missing, err
}

// roomsNamedBy returns the rooms that occur in the server's message.
func roomsNamedBy(refusal error, rooms []string) []string {
	var said *refusedAuthError
	if !errors.As(refusal, &said) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(rooms), func(room string) bool { return !names(said.message, room) })
}

// roomsNotListed returns the rooms that are not on the list of the plugin's websites.
func (t *RTM) roomsNotListed(ctx context.Context, rooms []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, roomsTimeout)
	defer cancel()
	missing := slices.Clone(rooms)
	for website, err := range t.client.Websites(ctx) {
		if err != nil {
			return nil, err
		}
		missing = slices.DeleteFunc(missing, func(room string) bool { return room == website.WebsiteID })
		if len(missing) == 0 {
			break
		}
	}
	return missing, nil
}

// refusedMeanwhile returns the error for a refusal on a live connection. If there are rooms,
// one of them may be the reason, and so it is not ErrUnauthorized: the next authentication
// will show.
func (t *RTM) refusedMeanwhile(refusal error) error {
	if len(t.subscription.current().Rooms) == 0 {
		return refusal
	}
	return fmt.Errorf("crisp: credentials or a website of Filter.Rooms refused meanwhile: %s", refusal.Error())
}

// names reports whether a text contains a name as a whole word.
func names(text, name string) bool {
	for at := strings.Index(text, name); at >= 0; {
		end := at + len(name)
		if !endsInWord(text[:at]) && !startsWithWord(text[end:]) {
			return true
		}
		next := strings.Index(text[end:], name)
		if next < 0 {
			return false
		}
		at = end + next
	}
	return false
}

func endsInWord(text string) bool { return text != "" && isOfWord(text[len(text)-1]) }

func startsWithWord(text string) bool { return text != "" && isOfWord(text[0]) }

func isOfWord(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// someOf lists the first few names, for an error.
func someOf(names []string) string {
	const most = 5
	var list strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&list, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString(shown(name))
	}
	return list.String()
}
