package conformance

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// typedHandlers register a handler of each type of event, the way programs do.
var typedHandlers = map[string]func(*crisp.Router, *stream[crisp.Event]){
	"SessionUpdateAvailability":          handle[crisp.SessionUpdateAvailability],
	"SessionUpdateVerify":                handle[crisp.SessionUpdateVerify],
	"SessionRequestInitiated":            handle[crisp.SessionRequestInitiated],
	"SessionSetEmail":                    handle[crisp.SessionSetEmail],
	"SessionSetPhone":                    handle[crisp.SessionSetPhone],
	"SessionSetAddress":                  handle[crisp.SessionSetAddress],
	"SessionSetSubject":                  handle[crisp.SessionSetSubject],
	"SessionSetAvatar":                   handle[crisp.SessionSetAvatar],
	"SessionSetNickname":                 handle[crisp.SessionSetNickname],
	"SessionSetOrigin":                   handle[crisp.SessionSetOrigin],
	"SessionSetData":                     handle[crisp.SessionSetData],
	"SessionSetSegments":                 handle[crisp.SessionSetSegments],
	"SessionSetBlock":                    handle[crisp.SessionSetBlock],
	"SessionSetOpened":                   handle[crisp.SessionSetOpened],
	"SessionSetClosed":                   handle[crisp.SessionSetClosed],
	"SessionSetParticipants":             handle[crisp.SessionSetParticipants],
	"SessionSetMentions":                 handle[crisp.SessionSetMentions],
	"SessionSetRouting":                  handle[crisp.SessionSetRouting],
	"SessionSetInbox":                    handle[crisp.SessionSetInbox],
	"SessionSetState":                    handle[crisp.SessionSetState],
	"SessionSyncCapabilities":            handle[crisp.SessionSyncCapabilities],
	"SessionSyncGeolocation":             handle[crisp.SessionSyncGeolocation],
	"SessionSyncSystem":                  handle[crisp.SessionSyncSystem],
	"SessionSyncNetwork":                 handle[crisp.SessionSyncNetwork],
	"SessionSyncTimezone":                handle[crisp.SessionSyncTimezone],
	"SessionSyncLocales":                 handle[crisp.SessionSyncLocales],
	"SessionSyncPages":                   handle[crisp.SessionSyncPages],
	"SessionSyncEvents":                  handle[crisp.SessionSyncEvents],
	"SessionSyncRating":                  handle[crisp.SessionSyncRating],
	"SessionSyncTopic":                   handle[crisp.SessionSyncTopic],
	"SessionRemoved":                     handle[crisp.SessionRemoved],
	"SessionError":                       handle[crisp.SessionError],
	"MessageUpdated":                     handle[crisp.MessageUpdated],
	"MessageSend":                        handle[crisp.MessageSend],
	"MessageReceived":                    handle[crisp.MessageReceived],
	"MessageRemoved":                     handle[crisp.MessageRemoved],
	"MessageComposeSend":                 handle[crisp.MessageComposeSend],
	"MessageComposeReceive":              handle[crisp.MessageComposeReceive],
	"MessageAcknowledgeReadSend":         handle[crisp.MessageAcknowledgeReadSend],
	"MessageAcknowledgeReadReceived":     handle[crisp.MessageAcknowledgeReadReceived],
	"MessageAcknowledgeUnreadSend":       handle[crisp.MessageAcknowledgeUnreadSend],
	"MessageAcknowledgeDelivered":        handle[crisp.MessageAcknowledgeDelivered],
	"MessageAcknowledgeIgnored":          handle[crisp.MessageAcknowledgeIgnored],
	"MessageNotifyUnreadSend":            handle[crisp.MessageNotifyUnreadSend],
	"MessageNotifyUnreadReceived":        handle[crisp.MessageNotifyUnreadReceived],
	"SpamMessage":                        handle[crisp.SpamMessage],
	"SpamDecision":                       handle[crisp.SpamDecision],
	"PeopleProfileCreated":               handle[crisp.PeopleProfileCreated],
	"PeopleProfileUpdated":               handle[crisp.PeopleProfileUpdated],
	"PeopleProfileRemoved":               handle[crisp.PeopleProfileRemoved],
	"PeopleBindSession":                  handle[crisp.PeopleBindSession],
	"PeopleSyncProfile":                  handle[crisp.PeopleSyncProfile],
	"PeopleImportProgress":               handle[crisp.PeopleImportProgress],
	"PeopleImportDone":                   handle[crisp.PeopleImportDone],
	"CampaignProgress":                   handle[crisp.CampaignProgress],
	"CampaignDispatched":                 handle[crisp.CampaignDispatched],
	"CampaignRunning":                    handle[crisp.CampaignRunning],
	"BrowsingRequestInitiated":           handle[crisp.BrowsingRequestInitiated],
	"BrowsingRequestRejected":            handle[crisp.BrowsingRequestRejected],
	"CallRequestInitiated":               handle[crisp.CallRequestInitiated],
	"CallRequestRejected":                handle[crisp.CallRequestRejected],
	"IdentityVerifyRequest":              handle[crisp.IdentityVerifyRequest],
	"WidgetActionProcessed":              handle[crisp.WidgetActionProcessed],
	"StatusHealthChanged":                handle[crisp.StatusHealthChanged],
	"WebsiteUpdateVisitorsCount":         handle[crisp.WebsiteUpdateVisitorsCount],
	"WebsiteUpdateOperatorsAvailability": handle[crisp.WebsiteUpdateOperatorsAvailability],
	"WebsiteUsersAvailable":              handle[crisp.WebsiteUsersAvailable],
	"BucketURLUploadGenerated":           handle[crisp.BucketURLUploadGenerated],
	"BucketURLAvatarGenerated":           handle[crisp.BucketURLAvatarGenerated],
	"BucketURLWebsiteGenerated":          handle[crisp.BucketURLWebsiteGenerated],
	"BucketURLCampaignGenerated":         handle[crisp.BucketURLCampaignGenerated],
	"BucketURLHelpdeskGenerated":         handle[crisp.BucketURLHelpdeskGenerated],
	"BucketURLStatusGenerated":           handle[crisp.BucketURLStatusGenerated],
	"BucketURLProcessingGenerated":       handle[crisp.BucketURLProcessingGenerated],
	"MediaAnimationListed":               handle[crisp.MediaAnimationListed],
	"EmailSubscribe":                     handle[crisp.EmailSubscribe],
	"EmailTrackView":                     handle[crisp.EmailTrackView],
	"PluginChannel":                      handle[crisp.PluginChannel],
	"PluginEvent":                        handle[crisp.PluginEvent],
	"PluginSubscriptionUpdated":          handle[crisp.PluginSubscriptionUpdated],
	"PluginSettingsSaved":                handle[crisp.PluginSettingsSaved],
	"PlanSubscriptionUpdated":            handle[crisp.PlanSubscriptionUpdated],
}

func handle[T any, E interface {
	*T
	crisp.Event
}](r *crisp.Router, events *stream[crisp.Event]) {
	crisp.On(r, func(_ context.Context, ev E) error {
		events.add(ev)
		return nil
	})
}

func TestEveryEventHasATypedHandlerHere(t *testing.T) {
	require.Len(t, crisp.Events(), 82)
	assert.Len(t, typedHandlers, 82)
	for _, info := range crisp.Events() {
		assert.Contains(t, typedHandlers, info.GoType)
	}
}

// handleTier registers a typed handler for each event that a tier may see.
func handleTier(r *crisp.Router, tier crisp.Tier, events *stream[crisp.Event]) {
	for _, info := range eventsOf(tier) {
		typedHandlers[info.GoType](r, events)
	}
}

func eventsOf(tier crisp.Tier) []crisp.EventInfo {
	var infos []crisp.EventInfo
	for _, info := range crisp.Events() {
		for _, t := range info.Tiers {
			if t == tier {
				infos = append(infos, info)
			}
		}
	}
	return infos
}

// samplePayload is the payload of an event's sample.
func samplePayload(name string) json.RawMessage { return crisptest.Sample(name).EventMeta().Raw }

// assertSample holds an event against the sample that was sent.
func assertSample(t *testing.T, name string, got crisp.Event, source crisp.Source) {
	t.Helper()
	want := crisptest.Sample(name)
	meta := got.EventMeta()
	assert.Equal(t, name, got.EventName())
	assert.Equal(t, source, meta.Source, name)
	assert.Empty(t, meta.Problems, name)
	assert.JSONEq(t, string(want.EventMeta().Raw), string(meta.Raw), name)

	*want.EventMeta(), *meta = crisp.Meta{}, crisp.Meta{}
	assert.Equal(t, want, got, name)
}
