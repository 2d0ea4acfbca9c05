package crisp

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/crisp-go/crisp/internal/payload"
)

// listPages iterates over a list that comes in pages, which ends with an empty
// one.
func listPages[T any](ctx context.Context, c *Client, err error, path func(page int) string, decode func(json.RawMessage) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err != nil {
			yield(zero, err)
			return
		}
		for page := 1; ; page++ {
			var raws []json.RawMessage
			if err := c.Do(ctx, http.MethodGet, path(page), nil, &raws); err != nil {
				yield(zero, err)
				return
			}
			for _, raw := range raws {
				if !yield(decode(raw), nil) {
					return
				}
			}
			if len(raws) == 0 {
				return
			}
		}
	}
}

// decodeData reads the data of an answer, which is valid JSON, tolerantly.
func decodeData(raw json.RawMessage, decode func(*payload.Decoder)) []FieldProblem {
	d := payload.NewDecoder(raw)
	decode(d)
	return fieldProblems(d.Problems())
}
