package main

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/crisp-go/crisp"
)

// settings are what a website can set for the plugin.
type settings struct {
	Greeting string `json:"greeting"` // empty = the usual one
	Silent   bool   `json:"silent"`   // don't greet
}

// usualGreeting is for websites without settings.
const usualGreeting = "Hello! Somebody will be with you soon."

// greeter answers visitors, at most once a minute each.
type greeter struct {
	client *crisp.Client
	tenants
}

// router returns the router of the greeter.
func (g *greeter) router(middleware ...func(crisp.Handler) crisp.Handler) *crisp.Router {
	router := crisp.NewRouter()
	router.Use(middleware...)
	router.Use(crisp.IgnoreOperators(), crisp.IgnoreAutomated(), crisp.LimitReplies(1))
	crisp.On(router, g.greet)
	crisp.On(router, g.subscribed)
	crisp.On(router, g.saved)
	return router
}

func (g *greeter) greet(ctx context.Context, ev *crisp.MessageSend) error {
	s, installed := g.get(ev.WebsiteID)
	if !installed || s.Silent {
		return nil
	}
	_, err := g.client.Reply(ctx, ev, crisp.TextContent(cmp.Or(s.Greeting, usualGreeting)))
	return err
}

// load learns which websites have installed the plugin, and their settings. Those that
// can't be read count as none, so that one bad website doesn't affect the others.
func (g *greeter) load(ctx context.Context) error {
	all := make(map[string]settings)
	for website, err := range g.client.Websites(ctx) {
		if err != nil {
			return err
		}
		s, err := crisp.SettingsOf[settings](website)
		if err != nil {
			slog.Warn("settings are left out", "error", err)
		}
		all[website.WebsiteID] = s
	}
	g.replace(all)
	return nil
}

// subscribed learns that a website has installed or removed the plugin. The event has
// no settings: they have to be fetched.
func (g *greeter) subscribed(ctx context.Context, ev *crisp.PluginSubscriptionUpdated) error {
	if !ev.Bound {
		g.remove(ev.WebsiteID)
		slog.Info("removed", "website", ev.WebsiteID)
		return nil
	}
	installed, err := g.client.PluginSettings(ctx, ev.WebsiteID, ev.PluginID)
	if err != nil {
		return err
	}
	s, err := crisp.SettingsOf[settings](installed)
	if err != nil {
		return err
	}
	g.set(ev.WebsiteID, s)
	slog.Info("installed", "website", ev.WebsiteID)
	return nil
}

// saved learns of a website's new settings.
func (g *greeter) saved(_ context.Context, ev *crisp.PluginSettingsSaved) error {
	s, err := crisp.SettingsOf[settings](ev)
	if err != nil {
		return err
	}
	g.set(ev.WebsiteID, s)
	return nil
}
