package rest_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// What the tables and bodies of testdata hold was written down without the document that the package is
// generated from: what Crisp's own libraries send, and what they read. A form is
// s, i, n or b for a text, an integer, a number or a boolean; a type of types.csv;
// []form, map[…], {key:form …}, any, or several with | between them.

// fact is a row of routes.csv.
type fact struct {
	method, path, answer string
	query                map[string]string // letters by key
	bodies               []string          // forms, one for each method in Go
	tiers                []string
	paged                bool
}

func (f fact) String() string { return f.method + " " + f.path }

func rows(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	all, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	return all[1:]
}

func facts(t *testing.T) []fact {
	t.Helper()
	var all []fact
	for _, row := range rows(t, "testdata/routes.csv") {
		f := fact{method: row[0], path: row[1], query: map[string]string{}, answer: row[4], tiers: strings.Fields(row[5]), paged: row[6] == "y"}
		for _, q := range strings.Fields(row[2]) {
			key, letter, _ := strings.Cut(q, ":")
			f.query[key] = letter
		}
		if row[3] != "" {
			f.bodies = strings.Split(row[3], " | ")
		}
		all = append(all, f)
	}
	require.Len(t, all, 225)
	return all
}

// forms are the forms of the fields of each type of types.csv, in their order.
type forms map[string][]member

type member struct{ key, form string }

func types(t *testing.T) forms {
	t.Helper()
	all := forms{}
	for _, row := range rows(t, "testdata/types.csv") {
		all[row[0]] = append(all[row[0]], member{row[1], strings.ReplaceAll(row[2], "object:", "")})
	}
	return all
}

// routesByFact are the catalog's routes, by method and path.
func routesByFact(t *testing.T) map[string]rest.Route {
	t.Helper()
	all := map[string]rest.Route{}
	for _, r := range rest.Routes() {
		key := r.Method + " " + r.Path
		require.NotContains(t, all, key)
		all[key] = r
	}
	return all
}

func TestRoutesAreThoseOfCrispsLibraries(t *testing.T) {
	routes := routesByFact(t)
	for _, f := range facts(t) {
		r, ok := routes[f.String()]
		if !assert.True(t, ok, f) {
			continue
		}
		tiers := []string{}
		for _, tier := range r.Tiers {
			tiers = append(tiers, string(tier))
		}
		assert.Equal(t, f.tiers, tiers, f)
		delete(routes, f.String())
	}
	assert.Empty(t, routes, "routes that nobody else knows")
}

func TestEveryCallOfTheCatalogIsThere(t *testing.T) {
	client, _ := crispAnswering(t, userToken)
	count := map[string]int{}
	for _, r := range rest.Routes() {
		count[r.Package]++
		for call := range strings.SplitSeq(r.Call, ", ") {
			assert.True(t, method(client, call).IsValid(), "%s: %s", r.Path, call)
		}
	}
	assert.Equal(t, map[string]int{"crisp": 21, "rest": 204}, count)
}

// The first screen of go doc is the services.
func TestThePackageCommentNamesEveryService(t *testing.T) {
	text, err := os.ReadFile("rest.go")
	require.NoError(t, err)
	comment, _, _ := strings.Cut(string(text), "\npackage rest")
	for _, r := range rest.Routes() {
		if r.Package == "rest" {
			call, _, _ := strings.Cut(r.Call, ", ")
			reach := strings.Replace(call[:strings.LastIndex(call, ".")], "(sessionID)", "(id)", 1)
			assert.Contains(t, comment, "\n//\t"+reach+" ", r.Path)
		}
	}
	assert.Less(t, strings.Count(comment, "\n"), 48)
}

var userToken = crisp.UserToken("identifier", "key")

// The identifiers of a service: each needs escaping.
const (
	website = "w/1"
	session = "session 1"
)

// method returns the method that a call of the catalog names, invalid if there is none.
func method(client *crisp.Client, call string) reflect.Value {
	dot := strings.LastIndex(call, ".")
	reach, name := call[:dot], call[dot+1:]
	site := rest.Website(client, website)
	var service any
	switch reach {
	case "client":
		service = client
	case "site":
		service = site
	case "site.Conversation(sessionID)":
		service = site.Conversation(session)
	case "rest.Account(client)":
		service = rest.Account(client)
	case "rest.Plan(client)":
		service = rest.Plan(client)
	case "rest.Plugin(client)":
		service = rest.Plugin(client)
	default:
		field := reflect.ValueOf(site).Elem().FieldByName(strings.TrimPrefix(reach, "site."))
		if !field.IsValid() {
			return field
		}
		return field.MethodByName(name)
	}
	return reflect.ValueOf(service).MethodByName(name)
}

// An identifier that names nothing, or leads elsewhere, is refused by every call.
func TestIdentifiersThatNameNothingAreRefused(t *testing.T) {
	routes := routesByFact(t)
	names := regexp.MustCompile(`\{(\w+)\}`)
	user, sentByUser := crispAnswering(t, userToken)
	plugin, sentByPlugin := crispAnswering(t, pluginToken)
	clients := map[crisp.Tier]*crisp.Client{crisp.TierUser: user, crisp.TierPlugin: plugin}
	checked := 0
	for _, f := range facts(t) {
		r := routes[f.String()]
		if r.Package != "rest" {
			continue
		}
		bound := 0
		for _, prefix := range []string{"website/{website_id}", "website/{website_id}/conversation/{session_id}"} {
			if strings.HasPrefix(f.path, prefix) {
				bound++
			}
		}
		for i, name := range names.FindAllStringSubmatch(f.path, -1)[bound:] {
			if name[1] == "page" && f.answer != "any" {
				continue
			}
			for _, id := range []string{"", ".", "..", "a/../b"} {
				checked++
				call, _, _ := strings.Cut(r.Call, ", ")
				m := method(clients[tokenFor(r).Tier], call)
				args := arguments(m.Type())
				args[i].SetZero()
				if args[i].Kind() == reflect.String {
					args[i].SetString(id)
				}
				_, err := results(m, args)
				var invalid *crisp.InvalidError
				if assert.ErrorAs(t, err, &invalid, "%s: %q", f, id) {
					assert.Equal(t, name[1], invalid.Field, f)
				}
			}
		}
	}
	assert.Greater(t, checked, 200)
	assert.Empty(t, sentByUser())
	assert.Empty(t, sentByPlugin())
}

// ---- What is sent -----------------------------------------------------------------

// unsent are fields that bodies don't have, because they are Crisp's to write.
var unsent = map[string][]string{
	"WebsiteCampaignItem":         {"campaign_id", "ready", "dispatched", "running", "progress", "targets", "reached", "created_at", "updated_at", "dispatched_at", "statistics"},
	"WebsiteCampaignTemplateItem": {"template_id", "type", "created_at", "updated_at"},
	"WebsiteInbox":                {"inbox_id", "created_at", "updated_at"},
	"WebsiteTeam":                 {"team_id", "created_at", "updated_at"},
	"WebsiteSettingsUpdate":       {"website_id"},
	"WebsiteSettingsEmails":       {"enrich"}, // an older name of trackers
	"WebsiteSettingsUpdateEmails": {"enrich"},
	"HelpdeskLocale":              {"articles", "categories"}, // of the older helpdesk
}

func TestCallsSendWhatCrispsLibrariesSend(t *testing.T) {
	routes, known := routesByFact(t), types(t)
	for _, f := range facts(t) {
		r := routes[f.String()]
		if r.Package != "rest" {
			continue
		}
		calls := strings.Split(r.Call, ", ")
		if len(f.bodies) > 0 {
			require.Len(t, calls, len(f.bodies), f)
		}
		for i, call := range calls {
			t.Run(call, func(t *testing.T) {
				client, got := crispAnswering(t, tokenFor(r), answerTo(f, known))
				args := arguments(method(client, call).Type())
				_, err := results(method(client, call), args)
				require.NoError(t, err)
				require.NotEmpty(t, got())
				sent := got()[0]
				assert.Equal(t, f.method, sent.method)
				checkPath(t, f, sent.path, args)
				checkQuery(t, f, known, sent.query)
				if len(f.bodies) == 0 {
					assert.Empty(t, sent.body)
					return
				}
				var body any
				require.NoError(t, json.Unmarshal([]byte(sent.body), &body))
				known.check(t, "body", f.bodies[i], body)
			})
		}
	}
}

func tokenFor(r rest.Route) crisp.Token {
	if len(r.Tiers) == 1 && r.Tiers[0] == crisp.TierPlugin {
		return pluginToken
	}
	return userToken
}

// arguments are arguments in which everything has a value; texts are different from
// each other, and need escaping.
func arguments(method reflect.Type) []reflect.Value {
	var args []reflect.Value
	for i := 1; i < method.NumIn(); i++ {
		v := reflect.New(method.In(i)).Elem()
		fill(v, fmt.Sprintf("text/%d ü?#%%&+{page}", i), 7+i)
		args = append(args, v)
	}
	return args
}

func fill(v reflect.Value, text string, number int) {
	switch p := v.Addr().Interface().(type) {
	case *rest.Opt[string]:
		*p = rest.Set(text)
		return
	case *rest.Opt[bool]:
		*p = rest.Set(true)
		return
	case *rest.Opt[int]:
		*p = rest.Set(number)
		return
	case *rest.Opt[float64]:
		*p = rest.Set(float64(number) + 0.5)
		return
	case *rest.Opt[time.Duration]:
		*p = rest.Set(time.Hour)
		return
	case *rest.Opt[time.Time]:
		*p = rest.Set(someTime)
		return
	case *time.Time:
		*p = someTime
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(number))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, number)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, number)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text, number)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]any{"key": text}))
	case reflect.Interface:
		v.Set(reflect.ValueOf(map[string]any{"key": text}))
	default:
		panic("no value for a " + v.Type().String())
	}
}

var someTime = time.Date(2030, 1, 31, 8, 0, 0, 0, time.UTC)

var placeholder = regexp.MustCompile(`\\\{\w+\\\}`)

// checkPath checks that the names in the path of a fact have been replaced by the
// service's identifiers and the first arguments, escaped.
func checkPath(t *testing.T, f fact, path string, args []reflect.Value) {
	t.Helper()
	pattern := regexp.MustCompile("^/" + placeholder.ReplaceAllString(regexp.QuoteMeta(f.path), "([^/]+)") + "$")
	match := pattern.FindStringSubmatch(path)
	require.NotNil(t, match, "%s does not fit %s", path, f.path)
	wanted := []string{}
	if strings.HasPrefix(f.path, "website/{website_id}") {
		wanted = append(wanted, website)
	}
	if strings.HasPrefix(f.path, "website/{website_id}/conversation/{session_id}") {
		wanted = append(wanted, session)
	}
	for _, arg := range args {
		wanted = append(wanted, fmt.Sprint(arg.Interface()))
	}
	for i, element := range match[1:] {
		value, err := url.PathUnescape(element)
		require.NoError(t, err)
		if f.paged && f.answer != "any" && i == len(match)-2 {
			assert.Equal(t, "1", value)
			continue
		}
		assert.Equal(t, wanted[i], value)
	}
}

func checkQuery(t *testing.T, f fact, known forms, query string) {
	t.Helper()
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	for key, letter := range f.query {
		value := values.Get(key)
		switch letter {
		case "s":
			assert.NotEmpty(t, value, key)
		case "b":
			assert.Equal(t, "1", value, key)
		case "i":
			_, err := strconv.Atoi(value)
			assert.NoError(t, err, key)
		case "n":
			_, err := strconv.ParseFloat(value, 64)
			assert.NoError(t, err, key)
		case "t":
			at, err := time.Parse(time.RFC3339, value)
			assert.NoError(t, err, key)
			assert.True(t, at.Equal(someTime), key)
		case "m":
			ms, err := strconv.ParseInt(value, 10, 64)
			assert.NoError(t, err, key)
			assert.Greater(t, ms, int64(1e12), "%s: not in milliseconds", key)
		case "j":
			var list []any
			require.NoError(t, json.Unmarshal([]byte(value), &list), key)
			require.Len(t, list, 1)
			known.check(t, key, "PeopleFilter", list[0])
		default:
			t.Errorf("%s: a letter that is not known: %s", key, letter)
		}
		delete(values, key)
	}
	assert.Empty(t, values, "keys that nobody else sends")
}

// check checks that a value has a form, and all fields of it that may be sent.
func (known forms) check(t *testing.T, at, form string, value any) {
	t.Helper()
	if fields, ok := known[form]; ok {
		if fields[0].key != "(oneof)" {
			known.checkMembers(t, at, fields, unsent[form], value)
		}
		return
	}
	switch {
	case strings.HasSuffix(form, "|null"):
		known.check(t, at, strings.TrimSuffix(form, "|null"), value)
	case strings.HasPrefix(form, "{"):
		var fields []member
		for _, f := range splitMembers(form) {
			key, inner, _ := strings.Cut(f, ":")
			fields = append(fields, member{strings.TrimSuffix(key, "?"), inner})
		}
		known.checkMembers(t, at, fields, nil, value)
	case strings.HasPrefix(form, "[]"):
		list, ok := value.([]any)
		if assert.True(t, ok && len(list) == 1, "%s: no list: %v", at, value) {
			known.check(t, at+"[0]", form[2:], list[0])
		}
	case strings.HasPrefix(form, "map["):
		assert.IsType(t, map[string]any{}, value, at)
	case form == "any":
	default:
		assert.IsType(t, example(form), value, at)
	}
}

func (known forms) checkMembers(t *testing.T, at string, fields []member, left []string, value any) {
	t.Helper()
	object, ok := value.(map[string]any)
	if !assert.True(t, ok, "%s: no object: %v", at, value) {
		return
	}
	for _, f := range fields {
		if slices.Contains(left, f.key) {
			assert.NotContains(t, object, f.key, at)
			continue
		}
		inner, ok := object[f.key]
		if assert.True(t, ok, "%s.%s is not sent", at, f.key) && !differs[at+"."+f.key] {
			known.check(t, at+"."+f.key, f.form, inner)
		}
		delete(object, f.key)
	}
	assert.Empty(t, object, at+": members that nobody else sends")
}

// differs are places where Crisp's libraries differ from each other, so that anything
// can be sent.
var differs = map[string]bool{
	"body.people.search":               true,
	"body.flow.assert_filter[0].query": true,
	"body.recipients.filter[0].query":  true,
	"body.assert_filter[0].query":      true,
}

// splitMembers returns the members of an inline object.
func splitMembers(form string) []string {
	var all []string
	depth, start := 0, 1
	for i, r := range form {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ' ':
			if depth == 1 {
				all, start = append(all, form[start:i]), i+1
			}
		}
	}
	return append(all, form[start:len(form)-1])
}

// example is a value of a simple form, as encoding/json has it.
func example(form string) any {
	switch form {
	case "s", "string":
		return "text"
	case "b", "boolean":
		return true
	case "i", "integer":
		return 3.0
	case "time_ms":
		return 1893456000000.0
	case "n", "number":
		return 1.5
	default:
		panic("no simple form: " + form)
	}
}

// results calls a method, and returns what it returns: of an iterator, the first
// element.
func results(method reflect.Value, args []reflect.Value) (value any, err error) {
	ctx := reflect.ValueOf(contextOfTests())
	out := method.Call(append([]reflect.Value{ctx}, args...))
	if len(out) == 1 && out[0].Kind() == reflect.Func {
		for v, e := range out[0].Seq2() {
			err, _ = e.Interface().(error)
			return v.Interface(), err
		}
		return nil, nil
	}
	err, _ = out[len(out)-1].Interface().(error)
	return out[0].Interface(), err
}
