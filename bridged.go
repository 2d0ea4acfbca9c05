package crisp

import (
	"context"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
	"github.com/crisp-go/crisp/internal/seam"
)

// What package bridge does that programs can't: see internal/seam.
func init() {
	seam.Crisp = seam.Functions{
		Decode:  func(r seam.Recorded) (any, error) { return decodeRecorded(r) },
		Freeze:  func(router any) { router.(*Router).freeze() },
		Hooks:   func(gapSettles func(seam.SettlingGap)) any { return Hooks{gapSettles: gapSettles} },
		Arrived: func(router, ev any) { router.(*Router).arrived(ev.(Event)) },
		Dispatch: func(ctx context.Context, router, ev any) error {
			return router.(*Router).dispatch(ctx, ev.(Event))
		},
	}
}

// decodeRecorded makes an event again that another process has received. Its EventID is the
// one that it had there.
func decodeRecorded(r seam.Recorded) (Event, error) {
	env := payload.Envelope{WebsiteID: r.WebsiteID, Data: r.Data, Timestamp: r.Time}
	ev, err := decodeEnvelope(r.Name, env, time.Now())
	if err != nil {
		return nil, err
	}
	meta := ev.EventMeta()
	meta.Source = Source(r.Source)
	identityOf(meta).known(r.ID, r.Stable)
	return ev, nil
}
