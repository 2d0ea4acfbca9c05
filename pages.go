package crisp

import (
	"cmp"
	"context"
	"encoding/json"
	"hash/maphash"
	"iter"
	"net/http"
	"strings"
)

// getter fetches the data of a route: the usual way, or a backfill's.
type getter func(ctx context.Context, path string, out any) error

// numberedList is a list that comes in numbered pages.
type numberedList[T any] struct {
	get    getter
	path   func(page int) string // from 1
	decode func(json.RawMessage) T
	// id returns an element's identifier. With it, a page without any new element is an
	// error: a server that ignores the number would be asked forever. Without it, the
	// caller has to watch out for that.
	id func(T) string
}

// pages iterates over the pages, up to the first empty one. An error ends the iteration.
func (l numberedList[T]) pages(ctx context.Context) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		seed, seen := maphash.MakeSeed(), make(map[uint64]bool) // by hash: the names would keep all pages in memory
		for page := 1; ; page++ {
			var raws list
			if err := l.get(ctx, l.path(page), &raws); err != nil {
				yield(nil, err)
				return
			}
			if len(raws) == 0 {
				return
			}
			decoded, fresh := make([]T, len(raws)), l.id == nil
			for i, raw := range raws {
				decoded[i] = l.decode(raw)
				if l.id != nil {
					hash := maphash.String(seed, cmp.Or(l.id(decoded[i]), string(raw)))
					fresh = fresh || !seen[hash]
					seen[hash] = true
				}
			}
			if !fresh {
				route, _, _ := strings.Cut(l.path(page), "?")
				yield(nil, &AnswerError{Method: http.MethodGet, Route: route, StatusCode: http.StatusOK, Err: errRepeats})
				return
			}
			if !yield(decoded, nil) {
				return
			}
		}
	}
}

// mapPages replaces each element v by of(v).
func mapPages[T, U any](pages iter.Seq2[[]T, error], of func(T) U) iter.Seq2[[]U, error] {
	return func(yield func([]U, error) bool) {
		for page, err := range pages {
			mapped := make([]U, len(page))
			for i, v := range page {
				mapped[i] = of(v)
			}
			if !yield(mapped, err) {
				return
			}
		}
	}
}

// flatten iterates over the elements of pages.
func flatten[T any](pages iter.Seq2[[]T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range pages {
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// failedSeq is an iteration that yields only an error.
func failedSeq[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}
