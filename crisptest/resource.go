package crisptest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/fifo"
)

// document is an object as REST takes and returns it.
type document map[string]any

// text returns a member that is a text, or "".
func (d document) text(name string) string {
	s, _ := d[name].(string)
	return s
}

// texts returns the texts of a member that is a list, without its other elements.
func (d document) texts(name string) []string {
	list, _ := d[name].([]any)
	var texts []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

func (d document) number(name string) float64 {
	n, _ := d[name].(float64)
	return n
}

func (d document) object(name string) document {
	object, _ := d[name].(map[string]any)
	return object
}

func (d document) flag(name string) bool {
	v, _ := d[name].(bool)
	return v
}

// plain returns a copy of an object with the types that REST would have decoded. It
// panics if encoding/json can't encode it.
func plain(object map[string]any) map[string]any {
	var decoded map[string]any
	if err := json.Unmarshal(mustJSON(object), &decoded); err != nil {
		panic("crisptest: " + err.Error()) // can't be: it has just been encoded
	}
	return decoded
}

// excerpt returns a copy that has only these members.
func (d document) excerpt(names ...string) document {
	short := make(document)
	for _, name := range names {
		if v, ok := d[name]; ok {
			short[name] = v
		}
	}
	return short
}

// collection is the latest documents of one kind that a website has.
type collection struct {
	idName string // the member that identifies a document, such as "inbox_id"
	kept   *fifo.Map[string, document]
}

func newCollection(idName string, history int) collection {
	return collection{idName: idName, kept: fifo.New[string, document](history)}
}

// add adds a document that was made now, and returns its new ID.
func (c collection) add(s *Server, d document) (id string) {
	id = s.newID()
	now := s.now().UnixMilli()
	d[c.idName], d["created_at"], d["updated_at"] = id, now, now
	c.kept.Put(id, d)
	return id
}

// all returns the documents in the order in which they were made.
func (c collection) all() []document {
	list := make([]document, 0, c.kept.Len())
	for _, d := range c.kept.All() {
		list = append(list, d)
	}
	slices.Reverse(list)
	return list
}

// documentsPerPage is the size of pages of anything but conversations and messages.
const documentsPerPage = 20

// pageReply answers a call for a page of a list.
func pageReply[T any](call restCall, list []T) restReply {
	page, ok := call.page()
	if !ok {
		return invalid
	}
	return success("listed", pageOf(list, page, documentsPerPage))
}

// resource is a kind of documents that REST makes, lists, returns, replaces and
// removes.
type resource struct {
	name  string // of one, in paths and reasons, such as "inbox"
	list  string // path of the list, below that of the website, without the page
	one   string // path of one, without its ID, and of the route that makes it
	new   shape  // the body that makes one
	saved shape  // the body that replaces one
	patch shape  // the body that changes one; nil if there is no such route
	// readTier and writeTier are the tiers that the routes are kept for which read and
	// write, if they are.
	readTier, writeTier crisp.Tier
	// own are members that only the server sets, beside the ID and the times.
	own []string
	// of returns where the documents are.
	of func(*site) collection
	// begin returns a new document, before the body's members are added.
	begin func() document
	// show returns a document as REST returns it.
	show func(w *site, d document) document
	// find returns the documents that are to be listed, each as the list has it.
	find func(call restCall, w *site) []document
	// removed is called when one was removed; nil if nothing follows.
	removed func(w *site, id string)
}

// routes adds the routes of the resource.
func (r resource) routes(s *Server, handle addRoute) {
	base := "website/{website}/"
	tier := func(only crisp.Tier, answer siteHandler) restHandler {
		if only == "" {
			return s.onSite(answer)
		}
		return requireTier(only, s.onSite(answer))
	}
	handle("GET", base+r.list+"/{page}", tier(r.readTier, r.getList))
	handle("POST", base+r.one, tier(r.writeTier, r.create))
	handle("GET", base+r.one+"/{id}", tier(r.readTier, r.with(r.get)))
	handle("PUT", base+r.one+"/{id}", tier(r.writeTier, r.with(r.save)))
	if r.patch != nil {
		handle("PATCH", base+r.one+"/{id}", tier(r.writeTier, r.with(r.change)))
	}
	handle("DELETE", base+r.one+"/{id}", tier(r.writeTier, r.with(r.remove)))
}

// documentHandler answers a call about one document.
type documentHandler func(call restCall, w *site, d document) restReply

// with finds the document of a call.
func (r resource) with(answer documentHandler) siteHandler {
	return func(call restCall, w *site) restReply {
		d, ok := r.of(w).kept.Get(call.PathValue("id"))
		if !ok {
			return refusal(http.StatusNotFound, r.name+"_not_found")
		}
		return answer(call, w, d)
	}
}

func (r resource) getList(call restCall, w *site) restReply { return pageReply(call, r.find(call, w)) }

func (r resource) create(call restCall, w *site) restReply {
	body, ok := r.body(call, r.new)
	if !ok {
		return invalid
	}
	d := r.begin()
	maps.Copy(d, body)
	id := r.of(w).add(w.server, d)
	return reply(http.StatusCreated, "added", map[string]any{r.of(w).idName: id})
}

// body returns the body of a call without the members that only the server sets.
func (r resource) body(call restCall, is shape) (body document, ok bool) {
	if !call.decode(is, &body) {
		return nil, false
	}
	for _, name := range append([]string{r.name + "_id", "created_at", "updated_at"}, r.own...) {
		delete(body, name)
	}
	return body, true
}

func (r resource) get(_ restCall, w *site, d document) restReply {
	return success("resolved", r.show(w, d))
}

// save replaces all but what only the server sets. A type stays as it is unless the
// body has one.
func (r resource) save(call restCall, w *site, d document) restReply {
	body, ok := r.body(call, r.saved)
	if !ok {
		return invalid
	}
	kept := append([]string{r.name + "_id", "created_at", "type"}, r.own...)
	maps.DeleteFunc(d, func(name string, _ any) bool { return !slices.Contains(kept, name) })
	for name, v := range r.begin() {
		if _, there := d[name]; !there {
			d[name] = v
		}
	}
	r.merge(w, d, body)
	return success("saved", struct{}{})
}

func (r resource) change(call restCall, w *site, d document) restReply {
	body, ok := r.body(call, r.patch)
	if !ok {
		return invalid
	}
	r.merge(w, d, body)
	return success("updated", struct{}{})
}

func (r resource) merge(w *site, d, body document) {
	maps.Copy(d, body)
	d["updated_at"] = w.server.now().UnixMilli()
}

func (r resource) remove(call restCall, w *site, _ document) restReply {
	id := call.PathValue("id")
	r.of(w).kept.Delete(id)
	if r.removed != nil {
		r.removed(w, id)
	}
	return success("deleted", struct{}{})
}

// asIs shows a document unchanged, as most are.
func asIs(_ *site, d document) document { return d }

// named reports whether a document's name has the text that is searched for.
func named(query url.Values, d document) bool {
	return strings.Contains(strings.ToLower(d.text("name")), strings.ToLower(query.Get("search_name")))
}

// chosen returns a function that reports whether a document passes at least one of the
// filters that a query sets. Without any, every document passes.
func chosen(query url.Values, filters map[string]func(document) bool) func(document) bool {
	var set []func(document) bool
	for key, wants := range filters {
		if query.Get(key) == "1" {
			set = append(set, wants)
		}
	}
	return func(d document) bool {
		return len(set) == 0 || slices.ContainsFunc(set, func(wants func(document) bool) bool { return wants(d) })
	}
}
