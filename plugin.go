package crisp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
)

// PluginSettings are a plugin's own settings for a website.
type PluginSettings struct {
	WebsiteID string
	PluginID  string
	// Settings are an object whose shape the plugin defines; nil if there are none.
	// [SettingsOf] decodes them. They may have secrets in them.
	Settings json.RawMessage
	// Schema is that of the settings, as the plugin has declared it; nil if it was not
	// told.
	Schema json.RawMessage
	// Token is a secret by which pages of the plugin prove that they act for this website.
	Token       string
	FormURL     string // of the form by which people edit the settings
	CallbackURL string // at which Crisp calls the plugin
	// Problems lists fields whose JSON type was not the expected one, which were
	// left zero.
	Problems []FieldProblem
}

// String returns the two identifiers and no setting; every verb of fmt prints that.
func (s PluginSettings) String() string {
	return "settings of plugin " + s.PluginID + " for website " + s.WebsiteID
}

// Format writes String, for every verb.
func (s PluginSettings) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue is String, for log/slog.
func (s PluginSettings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// PluginSettings gets the settings of a plugin for a website that has installed it.
// The plugin's ID is that of its events, such as [PluginSubscriptionUpdated]. For a
// website that has not installed it, it is refused with an [*APIError].
func (c *Client) PluginSettings(ctx context.Context, websiteID, pluginID string) (*PluginSettings, error) {
	var check checks
	check.present("website_id", websiteID)
	check.present("plugin_id", pluginID)
	if err := check.err(); err != nil {
		return nil, err
	}
	path := "plugins/subscription/" + url.PathEscape(websiteID) + "/" + url.PathEscape(pluginID) + "/settings"
	var raw json.RawMessage
	if err := c.Do(ctx, http.MethodGet, path, nil, &raw); err != nil {
		return nil, err
	}
	settings := new(PluginSettings)
	settings.Problems = decodeData(raw, settings.decode)
	settings.WebsiteID, settings.PluginID = websiteID, pluginID
	return settings, nil
}

// SettingsOf decodes a plugin's settings for a website into a T, as [json.Unmarshal]
// does. Without settings it is the zero T. An error says which website's they are, and
// which field doesn't fit; it quotes nothing of the settings.
//
//	s, err := crisp.SettingsOf[mySettings](website)
func SettingsOf[T any, From *PluginWebsite | *PluginSettings | *PluginSettingsSaved](from From) (T, error) {
	var settings T
	website, raw := rawSettings(from)
	if len(raw) == 0 {
		return settings, nil
	}
	if err := json.Unmarshal(raw, &settings); err != nil {
		var zero T
		return zero, fmt.Errorf("crisp: the plugin's settings for website %s: %w", shown(website), misfit(err, settings))
	}
	return settings, nil
}

func rawSettings(from any) (website string, raw json.RawMessage) {
	switch from := from.(type) {
	case *PluginWebsite:
		return from.WebsiteID, from.Settings
	case *PluginSettings:
		return from.WebsiteID, from.Settings
	case *PluginSettingsSaved:
		return from.WebsiteID, from.Settings
	}
	return "", nil
}
