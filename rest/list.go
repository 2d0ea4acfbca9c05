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

// elements splits a list; ok is false if the data are none. Each element has memory of its own, so
// that keeping one does not keep the page.
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

// element decodes an element of a list; ok is false if it is of another type.
type element[E any] func(json.RawMessage) (v E, ok bool)

// fetchAll makes a call that is answered by a list, and decodes its elements.
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

// object decodes an object. It is always ok, since the object lists its problems.
func object[T any, P answerType[T]](raw json.RawMessage) (*T, bool) {
	return decode[T, P](raw), true
}

// text decodes a text.
func text(raw json.RawMessage) (string, bool) {
	d := payload.NewDecoder(raw)
	return d.String(payload.Required), len(d.Problems()) == 0
}

func (c call) notText() error { return c.unusable("an element of the list is no text") }

// pages iterates over the objects of a list in pages.
func pages[T any, P answerType[T]](ctx context.Context, c call) iter.Seq2[*T, error] {
	return eachPage(ctx, c, P(new(T)).identifier(), object[T, P])
}

// textPages iterates over the texts of a list in pages.
func textPages(ctx context.Context, c call) iter.Seq2[string, error] {
	return eachPage(ctx, c, "", text)
}

// eachPage iterates over the elements of a list in pages. identifier is the name of the member that
// identifies them: see pager.
func eachPage[E any](ctx context.Context, c call, identifier string, read element[E]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		p := pager{call: c, identifier: identifier, seed: maphash.MakeSeed(), seen: make(map[uint64]bool)}
		for {
			page, err := p.next(ctx)
			if err != nil {
				yield(none, err)
				return
			}
			if len(page) == 0 {
				return
			}
			for _, raw := range page {
				v, ok := read(raw)
				if !ok {
					yield(none, p.call.page(p.number).notText())
					return
				}
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// maxStale is how many pages in a row without anything new are an error: a server that ignores
// their numbers would be asked forever. One such page may come of elements that were added to the
// front of the list, which move its end to the next page.
const maxStale = 2

// pager fetches the pages of a list.
type pager struct {
	call       call
	identifier string // the member that identifies elements; empty = all of the element does
	number     int    // of the last page, from 1; 0 = none yet
	seed       maphash.Seed
	seen       map[uint64]bool // hashes of the elements' identifiers
}

// next returns the elements of the next page that has anything new; none at the end of the list.
func (p *pager) next(ctx context.Context) ([]json.RawMessage, error) {
	for stale := 0; ; {
		p.number++
		c := p.call.page(p.number)
		page, err := fetchRaws(ctx, c)
		if err != nil || len(page) == 0 || p.fresh(page) {
			return page, err
		}
		if stale++; stale == maxStale {
			return nil, c.unusable("the page has nothing that was not on one before: its number is not heeded")
		}
	}
}

// fresh reports whether a page has anything new, and notes its elements as seen.
func (p *pager) fresh(page []json.RawMessage) bool {
	fresh := false
	for _, raw := range page {
		hash := maphash.Bytes(p.seed, raw)
		if id := textOf(raw, p.identifier); id != "" {
			hash = maphash.String(p.seed, id)
		}
		fresh = fresh || !p.seen[hash]
		p.seen[hash] = true
	}
	return fresh
}
