package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"

	"github.com/crisp-go/crisp/internal/payload"
)

// fetchRaws makes a call that is answered by a list.
func fetchRaws(ctx context.Context, c call) (whole json.RawMessage, elements []json.RawMessage, err error) {
	whole, err = c.raw(ctx)
	if err != nil {
		return nil, nil, err
	}
	if json.Unmarshal(whole, &elements) != nil || len(whole) == 0 || whole[0] != '[' {
		return nil, nil, c.unusable("the data are no list")
	}
	return whole, elements, nil
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
	_, raws, err := fetchRaws(ctx, c)
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

func eachPage[E any](ctx context.Context, c call, read element[E]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		var last json.RawMessage
		for n := 1; ; n++ {
			numbered := c.page(n)
			page, raws, err := fetchRaws(ctx, numbered)
			if err == nil && len(raws) > 0 && bytes.Equal(page, last) {
				// A server that does not heed the number would be asked without end.
				err = numbered.unusable("the page is the same as the one before: its number is not heeded")
			}
			if err != nil {
				yield(none, err)
				return
			}
			if len(raws) == 0 {
				return
			}
			for _, raw := range raws {
				v, ok := read(raw)
				if !ok {
					yield(none, numbered.notText())
					return
				}
				if !yield(v, nil) {
					return
				}
			}
			last = page
		}
	}
}
