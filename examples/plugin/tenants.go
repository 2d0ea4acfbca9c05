package main

import "sync"

// tenants are the websites that have installed the plugin. The zero value has none.
type tenants struct {
	mu  sync.RWMutex // guards all
	all map[string]settings
}

func (t *tenants) get(website string) (s settings, installed bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s, installed = t.all[website]
	return s, installed
}

func (t *tenants) set(website string, s settings) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = make(map[string]settings)
	}
	t.all[website] = s
}

func (t *tenants) remove(website string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, website)
}

func (t *tenants) replace(all map[string]settings) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = all
}
