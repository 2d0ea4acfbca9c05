package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/maphash"
	"iter"

	"github.com/crisp-go/crisp/internal/payload"
)

// fetchRaws makes a call that is answered by a list.
func fetchRaws(ctx context.Context, c call) ([]json.RawMessage, error) {
	whole, err := c.raw(ctx)
	if err != nil {
		return nil, err
	}
	raws, ok := elements(whole)
	if !ok {
		return nil, c.unusable("the data are no list")
	}
	return raws, nil
}

// elements splits a list, and reports whether it is one. Each element has memory of its
// own, so that who keeps one does not keep the page.
func elements(list json.RawMessage) (raws []json.RawMessage, ok bool) {
	d := payload.NewDecoder(list)
	if !d.Array(payload.Required) {
		return nil, false
	}
	for d.More() {
		raws = append(raws, bytes.Clone(d.Skip()))
	}
	return raws, d.End() == nil
}

// fetchList makes a call that is answered by a list of objects.
func fetchList[T any, P answerType[T]](ctx context.Context, c call) ([]*T, error) {
	return fetchAll(ctx, c, object[T, P])
}

// fetchTexts makes a call that is answered by a list of texts.
func fetchTexts(ctx context.Context, c call) ([]string, error) {
	return fetchAll(ctx, c, text)
}

// element reads an element of a list, and reports whether it is of use.
type element[E any] func(json.RawMessage) (E, bool)

func fetchAll[E any](ctx context.Context, c call, read element[E]) ([]E, error) {
	raws, err := fetchRaws(ctx, c)
	if err != nil {
		return nil, err
	}
	list := make([]E, len(raws))
	for i, raw := range raws {
		var ok bool
		if list[i], ok = read(raw); !ok {
			return nil, c.notText()
		}
	}
	return list, nil
}

// object reads an object, which has a place for its problems.
func object[T any, P answerType[T]](raw json.RawMessage) (*T, bool) {
	return decode[T, P](raw), true
}

func text(raw json.RawMessage) (string, bool) {
	d := payload.NewDecoder(raw)
	return d.String(payload.Required), len(d.Problems()) == 0
}

func (c call) notText() error { return c.unusable("an element of the list is no text") }

// pages iterates over the objects of a list in pages.
func pages[T any, P answerType[T]](ctx context.Context, c call) iter.Seq2[*T, error] {
	return eachPage(ctx, c, object[T, P])
}

// textPages iterates over the texts of a list in pages.
func textPages(ctx context.Context, c call) iter.Seq2[string, error] {
	return eachPage(ctx, c, text)
}

// maxStale is how many pages in a row may have nothing new. A server that does not heed
// their numbers would be asked without end; but what is added to the front of a list
// moves its end to another page, once.
const maxStale = 2

func eachPage[E any](ctx context.Context, c call, read element[E]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		seen := sightings{seed: maphash.MakeSeed(), hashes: make(map[uint64]bool)}
		stale := 0 // pages in a row with nothing new
		for n := 1; ; n++ {
			numbered := c.page(n)
			raws, err := fetchRaws(ctx, numbered)
			if err != nil {
				yield(none, err)
				return
			}
			if len(raws) == 0 {
				return
			}
			page, fresh := make([]E, len(raws)), false
			for i, raw := range raws {
				var ok bool
				if page[i], ok = read(raw); !ok {
					yield(none, numbered.notText())
					return
				}
				fresh = seen.add(page[i], raw) || fresh
			}
			if stale++; fresh {
				stale = 0
			}
			if stale == maxStale {
				yield(none, numbered.unusable("the page has nothing that was not on one before: its number is not heeded"))
				return
			}
			if stale > 0 {
				continue
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// sightings are the elements that have come, by a hash of what they are known by.
type sightings struct {
	seed   maphash.Seed
	hashes map[uint64]bool
}

// add reports whether the element is new.
func (s sightings) add(v any, raw json.RawMessage) bool {
	hash := maphash.Bytes(s.seed, raw)
	if known, ok := v.(interface{ identity() string }); ok && known.identity() != "" {
		hash = maphash.String(s.seed, known.identity())
	}
	before := s.hashes[hash]
	s.hashes[hash] = true
	return !before
}
