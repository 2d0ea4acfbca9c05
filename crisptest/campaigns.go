package crisptest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Dispatch is a campaign that was dispatched.
type Dispatch struct {
	Time       time.Time // when it was dispatched
	WebsiteID  string
	CampaignID string
	Type       string   // "one-shot" or "automated"
	Name       string   // of the campaign
	Message    string   // what it says
	Recipients []string // people IDs or email addresses, as the campaign names them
}

// String describes the campaign with its name, for failure messages.
func (d Dispatch) String() string {
	return fmt.Sprintf("%s campaign %q (%s), to %d people", d.Type, d.Name, d.CampaignID, len(d.Recipients))
}

// Dispatches returns the latest campaigns ([WithHistory]) that were dispatched over
// REST, in order.
func (s *Server) Dispatches() []Dispatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all(&s.dispatches)
}

// WaitDispatch waits for one of [Server.Dispatches] that matches and returns it. It
// waits as long as [Server.WaitAuthenticated] does; the error lists the campaigns that
// were dispatched instead.
func (s *Server) WaitDispatch(ctx context.Context, match func(Dispatch) bool) (Dispatch, error) {
	return waiter[Dispatch]{what: "a matching campaign to be dispatched", among: s.Dispatches, match: match}.wait(ctx, s)
}

// The reactions to a campaign that [Server.ReactToCampaign] takes.
const (
	CampaignOpened       = "opened"
	CampaignClicked      = "clicked"
	CampaignUnsubscribed = "unsubscribed"
)

var reactions = []string{CampaignOpened, CampaignClicked, CampaignUnsubscribed}

// ReactToCampaign makes one of a campaign's recipients, whom it names by their people
// ID or email address, open it, click on it or unsubscribe: reaction is
// [CampaignOpened], [CampaignClicked] or [CampaignUnsubscribed]. The campaign's
// statistics count and list it. ReactToCampaign panics if the reaction is another, or
// the campaign was not dispatched.
func (s *Server) ReactToCampaign(websiteID, campaignID, recipient, reaction string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run, ok := s.site(websiteID).runs.Get(campaignID)
	if !ok || !slices.Contains(reactions, reaction) {
		panic(fmt.Sprintf("crisptest: ReactToCampaign: %q to campaign %q, which has to be dispatched", reaction, campaignID))
	}
	now := s.now().UnixMilli()
	run.reactions.add(&document{
		"type":       reaction,
		"profile":    recipientForm(recipient),
		"data":       document{},
		"created_at": now,
		"updated_at": now,
	}, 0)
	run.counts[reaction]++
}

// campaignRun is the state of a campaign that was dispatched. Server.mu guards it.
type campaignRun struct {
	recipients []string
	reactions  record[*document] // as REST lists them
	counts     map[string]int    // of the reactions, by their kind
	leg        int               // how often it was started; what advances it ends with the leg
}

// campaignStep is the progress that a campaign makes at a time, in percent.
const campaignStep = 25

const (
	oneShot   = "one-shot"
	automated = "automated"
)

// recipientsOf returns whom a campaign names. Who else it would reach, such as all
// people of a segment, is not known to the server.
func recipientsOf(campaign document) []string {
	return campaign.object("recipients").texts("people")
}

// recipientForm returns a recipient as REST does.
func recipientForm(recipient string) document {
	if strings.Contains(recipient, "@") {
		return document{"email": recipient}
	}
	return document{"people_id": recipient}
}

// isReady reports whether a campaign has what it needs to be dispatched: a message,
// and recipients or, if it is automated, the event that launches it.
func isReady(campaign document) bool {
	to := campaign.object("recipients")
	if campaign.text("type") == automated {
		to = campaign.object("flow")
	}
	return campaign.text("message") != "" && len(to) > 0
}

// dispatch starts a campaign for the first time.
func (w *site) dispatch(campaign document) {
	s, id := w.server, campaign.text("campaign_id")
	run := &campaignRun{
		recipients: recipientsOf(campaign),
		reactions:  newRecord[*document](s.history),
		counts:     make(map[string]int),
	}
	w.runs.Put(id, run)
	campaign["dispatched"], campaign["dispatched_at"] = true, s.now().UnixMilli()
	campaign["targets"] = len(run.recipients)
	s.dispatches.add(&Dispatch{
		Time:       s.now(),
		WebsiteID:  w.id,
		CampaignID: id,
		Type:       campaign.text("type"),
		Name:       campaign.text("name"),
		Message:    campaign.text("message"),
		Recipients: recipientsOf(campaign),
	}, len(campaign.text("message")))
	w.emit("campaign:dispatched", map[string]any{"campaign_id": id})
	w.setRunning(campaign, run, true)
}

// setRunning starts a campaign that was dispatched, or pauses it. An automated one
// makes no progress: it waits for what launches it.
func (w *site) setRunning(campaign document, run *campaignRun, running bool) {
	id := campaign.text("campaign_id")
	campaign["running"] = running
	run.leg++
	w.emit("campaign:running", map[string]any{"campaign_id": id, "running": running})
	if s, leg := w.server, run.leg; running && campaign.text("type") != automated && !s.closed {
		s.wg.Go(func() {
			for sleep(s.ctx, s.campaignPace) && s.advance(w.id, id, leg) {
			}
		})
	}
}

// advance makes a step of a campaign, and reports whether there are more in this leg.
func (s *Server) advance(websiteID, id string, leg int) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.site(websiteID)
	campaign, kept := w.campaigns.kept.Get(id)
	run, dispatched := w.runs.Get(id)
	if !kept || !dispatched || run.leg != leg {
		return false
	}
	progress := campaign["progress"].(int) + campaignStep
	campaign["progress"] = progress
	campaign["reached"] = len(run.recipients) * progress / 100
	w.emit("campaign:progress", map[string]any{"campaign_id": id, "progress": progress})
	if progress < 100 {
		return true
	}
	w.setRunning(campaign, run, false)
	return false
}
