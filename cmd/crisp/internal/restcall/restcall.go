// Package restcall makes calls of the REST API from what people type.
package restcall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/nearest"
	"github.com/crisp-go/crisp/rest"
)

// Call is a call to make.
type Call struct {
	Method string
	Path   string // below the base URL; {website} stands for the website
	Query  url.Values
	Body   json.RawMessage // nil for none
}

// New returns a call of a path, which may begin with a slash and a version. pairs are the
// query's parameters as key=value.
func New(method, path, website string, pairs []string) (Call, error) {
	c := Call{Method: strings.ToUpper(method), Query: url.Values{}}
	path, query, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	path = strings.TrimSuffix(strings.TrimPrefix(path, "v1/"), "/")
	if strings.Contains(path, "{website}") || strings.Contains(path, "{website_id}") {
		if website == "" {
			return c, errors.New("the path has {website} in it, but no website is known: set CRISP_WEBSITE_ID")
		}
		path = strings.NewReplacer("{website}", url.PathEscape(website), "{website_id}", url.PathEscape(website)).Replace(path)
	}
	if strings.ContainsAny(path, "{}") {
		return c, fmt.Errorf("the path %q has a name in braces left: put an identifier in its place", path)
	}
	given, err := url.ParseQuery(query)
	if err != nil {
		return c, errors.New("the query of the path can't be read: use --query key=value")
	}
	if err := check(c.Method, path); err != nil {
		return c, err
	}
	c.Path, c.Query = path, given
	for _, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return c, errors.New("--query needs key=value")
		}
		c.Query.Add(key, value)
	}
	return c, nil
}

var validMethod = regexp.MustCompile(`^[A-Z]+$`)

// check returns an error if a call would be invalid or not the one that was meant.
func check(method, path string) error {
	plain, err := url.PathUnescape(path)
	switch {
	case !validMethod.MatchString(method):
		return fmt.Errorf("%q is no method such as GET", method)
	case strings.Contains(path, "://"):
		return errors.New("the path is one below the base URL, not a URL: see --base-url")
	case err != nil, strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }):
		return fmt.Errorf("the path %q has a character that must be escaped, such as %%20 for a space", path)
	}
	for _, element := range strings.Split(plain, "/") {
		if element == "" || element == "." || element == ".." {
			return fmt.Errorf("the path %q has an element that is empty or made of dots", path)
		}
	}
	return nil
}

// Do makes the call and returns the answer's data. A POST is never repeated.
func (c Call) Do(ctx context.Context, client *crisp.Client) (json.RawMessage, error) {
	path := c.Path
	if len(c.Query) > 0 {
		path += "?" + c.Query.Encode()
	}
	var body any
	if c.Body != nil {
		body = c.Body
	}
	if c.Method == http.MethodHead {
		return nil, client.Do(ctx, c.Method, path, body, nil)
	}
	var data json.RawMessage
	err := client.Do(ctx, c.Method, path, body, &data)
	return data, err
}

// Pages makes the call for each page of a list, from the one that the path names or the
// first, until a page is empty, and calls yield with each element.
func (c Call) Pages(ctx context.Context, client *crisp.Client, yield func(json.RawMessage) error) error {
	if c.Method != http.MethodGet {
		return errors.New("--paginate is for GET")
	}
	base, number := c.withoutPage()
	var last json.RawMessage
	for ; ; number++ {
		c.Path = fmt.Sprintf("%s/%d", base, number)
		page, err := c.Do(ctx, client)
		if err != nil {
			return err
		}
		var elements []json.RawMessage
		if json.Unmarshal(page, &elements) != nil || elements == nil {
			return fmt.Errorf("%s is no list in pages: its data are no list", c.Path)
		}
		if len(elements) == 0 {
			return nil
		}
		if bytes.Equal(page, last) {
			return fmt.Errorf("%s is the same page as the one before: its number is not heeded", c.Path)
		}
		for _, element := range elements {
			if err := yield(element); err != nil {
				return err
			}
		}
		last = page
	}
}

// withoutPage splits a path into what comes before the page's number, and the number.
func (c Call) withoutPage() (base string, number int) {
	at := strings.LastIndexByte(c.Path, '/')
	if _, err := fmt.Sscanf(c.Path[at+1:], "%d", &number); err == nil && number > 0 && fmt.Sprint(number) == c.Path[at+1:] {
		return c.Path[:at], number
	}
	return c.Path, 1
}

// Unknown returns a warning if no known route matches the call; empty if one does.
func (c Call) Unknown(paginated bool) string {
	path := c.Path
	if paginated {
		base, number := c.withoutPage()
		path = fmt.Sprintf("%s/%d", base, number)
	}
	var methods, routes []string
	for _, route := range rest.Routes() {
		if matches(route.Path, path) {
			if route.Method == c.Method {
				return ""
			}
			methods = append(methods, route.Method)
		}
		routes = append(routes, route.Path)
	}
	if len(methods) > 0 {
		slices.Sort(methods)
		return fmt.Sprintf("no route is known of this method and path; the path has %s", strings.Join(slices.Compact(methods), ", "))
	}
	if names := nearest.To(asTemplate(path, routes), routes); len(names) > 0 {
		return "no route is known of this path: is " + names[0] + " meant?"
	}
	return "no route is known of this path"
}

// matches reports whether a path matches a route.
func matches(route, path string) bool {
	names, elements := strings.Split(route, "/"), strings.Split(path, "/")
	if len(names) != len(elements) {
		return false
	}
	for i, name := range names {
		if !strings.HasPrefix(name, "{") && name != elements[i] {
			return false
		}
	}
	return true
}

// asTemplate returns a path with its identifiers replaced by the names of the most
// similar route.
func asTemplate(path string, routes []string) string {
	elements := strings.Split(path, "/")
	best, most := path, -1
	for _, route := range routes {
		names := strings.Split(route, "/")
		if len(names) != len(elements) {
			continue
		}
		shared := 0
		filled := slices.Clone(elements)
		for i, name := range names {
			switch {
			case strings.HasPrefix(name, "{"):
				filled[i] = name
			case name == elements[i]:
				shared += len(name)
			case len(nearest.To(elements[i], []string{name})) > 0:
				shared += len(name) / 2
			}
		}
		if shared > most {
			best, most = strings.Join(filled, "/"), shared
		}
	}
	return best
}

// Paths returns the distinct paths of the routes with a method.
func Paths(method string) []string {
	var paths []string
	for _, route := range rest.Routes() {
		if path := strings.ReplaceAll(route.Path, "{website_id}", "{website}"); strings.EqualFold(route.Method, method) && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}
