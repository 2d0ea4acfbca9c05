package crisp

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/crisp-go/crisp/internal/payload"
)

// PluginWebsite is a website that has installed a plugin.
type PluginWebsite struct {
	WebsiteID string
	// Settings are the plugin's own for this website; nil if there are none.
	Settings json.RawMessage

	// Raw is the entry as it came, with what has no field here.
	Raw json.RawMessage
	// Problems lists fields whose JSON type was not the expected one, which were
	// left zero.
	Problems []FieldProblem
}

func (w *PluginWebsite) decode(d *payload.Decoder) {
	if !d.Object(payload.Required) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "website_id":
			w.WebsiteID = d.String(payload.Required)
		case "settings":
			w.Settings = d.RawObject(payload.Optional)
		default:
			d.Skip()
		}
	}
}

// Websites lists the websites that have installed the plugin whose token the
// client has, page by page as the loop goes on. An error, such as that of a
// token of another tier, is the last that the loop gets.
func (c *Client) Websites(ctx context.Context) iter.Seq2[*PluginWebsite, error] {
	pages := func(page int) string { return fmt.Sprintf("plugin/connect/websites/all/%d", page) }
	return listPages(ctx, c, nil, pages, func(raw json.RawMessage) *PluginWebsite {
		website := &PluginWebsite{Raw: raw}
		website.Problems = decodeData(raw, website.decode)
		return website
	})
}
