package restcall_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/restcall"
	"github.com/crisp-go/crisp/crisptest"
)

func TestNew(t *testing.T) {
	for _, path := range []string{"website/w1/conversations/1", "/website/w1/conversations/1", "/v1/website/w1/conversations/1", "v1/website/{website}/conversations/1/"} {
		c, err := restcall.New("get", path, "w1", []string{"per_page=20", "q=a=b"})
		require.NoError(t, err, path)
		assert.Equal(t, "website/w1/conversations/1", c.Path)
		assert.Equal(t, http.MethodGet, c.Method)
		assert.Equal(t, "per_page=20&q=a%3Db", c.Query.Encode())
	}
	for path, want := range map[string]string{
		"website/{website}":            "CRISP_WEBSITE_ID",
		"website/w1/conversation/{id}": "braces left",
	} {
		_, err := restcall.New("GET", path, "", nil)
		assert.ErrorContains(t, err, want)
	}
	_, err := restcall.New("GET", "plans/list/all", "", []string{"nothing"})
	assert.ErrorContains(t, err, "key=value")
}

func TestUnknown(t *testing.T) {
	for _, row := range []struct {
		method, path string
		paginated    bool
		want         string // empty if it is known
	}{
		{method: "GET", path: "website/w1/conversations/1"},
		{method: "GET", path: "website/w1/conversations", paginated: true},
		{method: "GET", path: "website/w1/conversatoins/1", want: "is website/{website_id}/conversations/{page} meant?"},
		{method: "PUT", path: "website/w1/conversations/1", want: "the path has GET"},
		{method: "GET", path: "nothing/of/the/kind", want: "no route is known"},
	} {
		c, err := restcall.New(row.method, row.path, "", nil)
		require.NoError(t, err)
		if row.want == "" {
			assert.Empty(t, c.Unknown(row.paginated), row.path)
		} else {
			assert.Contains(t, c.Unknown(row.paginated), row.want, row.path)
		}
	}
}

func TestPages(t *testing.T) {
	srv := crisptest.NewServer(t)
	pages := map[string]any{"1": []int{1, 2}, "2": []int{3}, "3": []int{}}
	srv.HandleREST("GET website/{website_id}/teams/list/{page}", func(r *http.Request) (int, any) { return http.StatusOK, pages[r.PathValue("page")] })
	srv.HandleREST("GET website/{website_id}/inboxes/list/{page}", func(*http.Request) (int, any) { return http.StatusOK, []int{1} })
	list := func(path string) (all []string, err error) {
		c, err := restcall.New("GET", path, "", nil)
		require.NoError(t, err)
		err = c.Pages(t.Context(), srv.Client(), func(element json.RawMessage) error {
			all = append(all, string(element))
			return nil
		})
		return all, err
	}
	for path, want := range map[string][]string{
		"website/w1/teams/list":   {"1", "2", "3"},
		"website/w1/teams/list/1": {"1", "2", "3"},
		"website/w1/teams/list/2": {"3"},
	} {
		all, err := list(path)
		require.NoError(t, err)
		assert.Equal(t, want, all, path)
	}
	_, err := list("website/w1/inboxes/list")
	assert.ErrorContains(t, err, "its number is not heeded")
}

func TestPostIsSentOnce(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.FailREST(http.StatusInternalServerError, -1)
	c, err := restcall.New("POST", "website/w1/conversation", "", nil)
	require.NoError(t, err)
	_, err = c.Do(t.Context(), srv.Client())
	assert.ErrorContains(t, err, "500")
	assert.Len(t, srv.Requests(), 1)
}
