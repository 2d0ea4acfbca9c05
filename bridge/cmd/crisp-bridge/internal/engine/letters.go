package engine

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"github.com/crisp-go/crisp/bridge"
)

// letterStore is what engines have of the letters L of a group.
type letterStore[L any] interface {
	List(ctx context.Context, after uint64, limit int) ([]L, error)
	Replay(ctx context.Context, number uint64) error
	Discard(ctx context.Context, number uint64) error
}

// lettersAtOnce is how many letters are listed at a time.
const lettersAtOnce = 100

// letters returns all letters of a store. Its arguments are how the store is opened, and
// how the number of a letter, and the rest of it, are found.
func letters[L any, S letterStore[L]](ctx context.Context, open func() (S, error), of func(L) (uint64, bridge.DeadLetter)) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		store, err := open()
		if err != nil {
			yield(Letter{}, err)
			return
		}
		for after := uint64(0); ; {
			some, err := store.List(ctx, after, lettersAtOnce)
			for _, l := range some {
				number, letter := of(l)
				if !yield(Letter{strconv.FormatUint(number, 10), letter}, nil) {
					return
				}
				after = number
			}
			if err != nil {
				yield(Letter{}, err)
				return
			}
			if len(some) < lettersAtOnce {
				return
			}
		}
	}
}

// number is the number that a letter has in its store.
func number(letter Letter) (uint64, error) {
	n, err := strconv.ParseUint(letter.ID, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of a letter", letter.ID)
	}
	return n, nil
}

// act does something with a letter in its store.
func act[S any](letter Letter, open func(group string) (S, error), do func(store S, number uint64) error) error {
	n, err := number(letter)
	if err != nil {
		return err
	}
	store, err := open(letter.Group)
	if err != nil {
		return err
	}
	return do(store, n)
}
