package control

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/crisp-go/crisp/crisptest"
)

// Hook is a URL to which web hooks are sent.
type Hook struct {
	URL     string   `json:"url"`
	Events  []string `json:"events,omitempty"`  // names; none means all
	Website bool     `json:"website,omitempty"` // as those of a website, unsigned, instead of a plugin's
}

// hooks are the web hooks that this API added.
type hooks struct {
	srv *crisptest.Server

	mu    sync.Mutex // guards byURL
	byURL map[string]*crisptest.Subscriber
}

func (h *hooks) add(hook Hook) error {
	if err := CheckHookURL(hook.URL); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if before := h.byURL[hook.URL]; before != nil {
		before.Remove()
	}
	add := h.srv.AddPluginHook
	if hook.Website {
		add = h.srv.AddWebsiteHook
	}
	h.byURL[hook.URL] = add(hook.URL, hook.Events...)
	return nil
}

// CheckHookURL returns an error if web hooks can't be sent to a URL. The error does not
// quote the URL, whose query may hold a secret.
func CheckHookURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the URL of a web hook must be like http://127.0.0.1:8080/hooks")
	}
	return nil
}

func (h *hooks) remove(at string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	hook := h.byURL[at]
	if hook == nil {
		return refused{errors.New("no web hooks are sent to that URL"), http.StatusNotFound}
	}
	hook.Remove()
	delete(h.byURL, at)
	return nil
}

func (h *hooks) urls() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []string{}
	for _, at := range slices.Sorted(maps.Keys(h.byURL)) {
		list = append(list, WithoutQuery(at))
	}
	return list
}

func (h *handler) listHooks(*http.Request) (any, error) {
	return map[string]any{"urls": h.hooks.urls()}, nil
}

func (h *handler) addHook(r *http.Request) (any, error) {
	var hook Hook
	if err := decode(r, &hook); err != nil {
		return nil, err
	}
	return struct{}{}, h.hooks.add(hook)
}

func (h *handler) removeHook(r *http.Request) (any, error) {
	return struct{}{}, h.hooks.remove(r.URL.Query().Get("url"))
}
