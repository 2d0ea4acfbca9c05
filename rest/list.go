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
	return eachPage(ctx, c, P(new(T)).identifier(), object[T, P])
}

// textPages iterates over the texts of a list in pages.
func textPages(ctx context.Context, c call) iter.Seq2[string, error] {
	return eachPage(ctx, c, "", text)
}

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

// maxStale is how many pages in a row may have nothing new. A server that does not heed
// their numbers would be asked without end; but what is added to the front of a list
// moves its end to another page, once.
const maxStale = 2

// pager fetches the pages of a list.
type pager struct {
	call       call
	identifier string // the member that elements are known by; empty = all that is in them
	number     int    // of the last page
	seed       maphash.Seed
	seen       map[uint64]bool // hashes of what the elements are known by
}

// next returns the elements of the next page that has something new; none at the end of
// the list.
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

// fresh reports whether a page has something new.
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
