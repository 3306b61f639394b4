package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"granary/internal/client"
)

// granary is a server with versions as resources, as far as these tests ask. Versions
// are the highest first, ten a page. A version may have marks: "1.0.0 final yanked".
type granary struct {
	versions []string
	latest   string // the version that it selects, "" for none
	large    string // a version with too many files to be shown
	silent   bool   // names no features, as a proxy may have it

	mu    sync.Mutex
	asked []string
}

func (g *granary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4/projects/7/packages/")
	g.asked = append(g.asked, strings.TrimSuffix(path+"?"+r.URL.Query().Get("cursor"), "?"))
	if !g.silent {
		w.Header().Set("X-Granary-Features", "channels, selectors, versions")
	}
	row := func(i int) string {
		words := strings.Fields(g.versions[i])
		final := "null"
		if strings.Contains(g.versions[i], " final") {
			final = `"2026-01-02T03:04:05.000Z"`
		}
		return fmt.Sprintf(`{"name":"tool","version":%q,"project_id":7,"package_id":%d,"status":"default","final_at":%s,"yanked":%v,"files":[]}`,
			words[0], i+1, final, strings.Contains(g.versions[i], " yanked"))
	}
	name, version, one := strings.Cut(strings.TrimPrefix(path, "generic/"), "/")
	switch {
	case strings.HasSuffix(path, "/package_files"):
		fmt.Fprint(w, `[{"id":5,"file_name":"a","size":1}]`)
	case name != "tool":
		answer404(w, "404 Not Found - there is no package "+name)
	case !one:
		from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		var rows []string
		for i := from; i < min(from+10, len(g.versions)); i++ {
			rows = append(rows, row(i))
		}
		if from+10 < len(g.versions) {
			w.Header().Set("Link", fmt.Sprintf(`<https://elsewhere.example/?cursor=%d>; rel="next"`, from+10))
		}
		fmt.Fprintf(w, `{"name":"tool","project_id":7,"channels":[{"name":"stable","version":"1.0.0"}],"versions":[%s]}`, strings.Join(rows, ","))
	case version == g.large:
		w.WriteHeader(http.StatusUnprocessableEntity)
	default:
		for i, v := range g.versions {
			if v = strings.Fields(v)[0]; v == version || version == "latest" && v == g.latest {
				fmt.Fprint(w, row(i))
				return
			}
		}
		answer404(w, "404 Not Found - there is no tool "+version)
	}
}

func answer404(w http.ResponseWriter, message string) {
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprintf(w, `{"message":%q}`, message)
}

// numbered is so many versions 1.N.0, the highest first, with marks.
func numbered(n int, marks string) (all []string) {
	for i := n - 1; i >= 0; i-- {
		all = append(all, fmt.Sprintf("1.%d.0%s", i, marks))
	}
	return all
}

// A server with selectors is asked once. Other ranges cost its list as far as the first
// version in the range, and if that is not final a look whether others are: then only
// final ones count.
func TestSelect(t *testing.T) {
	open := numbered(35, "")
	mixed := append(numbered(35, "")[:30], "1.4.0 final", "1.3.0 yanked final", "1.2.0", "1.1.0 final", "1.0.0")
	for _, tt := range []struct {
		server  *granary
		version string
		pre     bool
		want    string // or words of the error
		asked   string
	}{
		{&granary{versions: open, latest: "1.34.0"}, "", false, "1.34.0", "generic/tool/latest"},
		{&granary{versions: open, latest: "1.34.0"}, "latest", false, "1.34.0", "generic/tool/latest"},
		{&granary{versions: open}, "1.7.0", false, "1.7.0", "generic/tool/1.7.0"},
		{&granary{versions: open}, "1.7.0", true, "1.7.0", "generic/tool/1.7.0"},
		{&granary{versions: open}, "7", false, "7 has no package tool 7", "generic/tool/7"},
		{&granary{versions: open}, "^7", false, "7, package tool: no version is in the range ^7", "generic/tool/%5E7"},
		{&granary{}, "", false, "7 has no package tool, or none of its versions can be the latest", "generic/tool/latest"},
		{&granary{versions: open, latest: "1.34.0"}, ">=1.2 <1.21", false, "1.20.0",
			"generic/tool/%3E=1.2%20%3C1.21 generic/tool generic/tool?10 generic/tool/latest generic/tool/1.20.0"},
		{&granary{versions: open}, "<1", false, "none of 35 versions is in the range <1", "generic/tool/%3C1 generic/tool generic/tool?10 generic/tool?20 generic/tool?30"},
		{&granary{versions: []string{"2.0.0-rc.1", "1.0.0", "nightly"}, latest: "1.0.0"}, "", true, "2.0.0-rc.1", "generic/tool/latest generic/tool generic/tool/2.0.0-rc.1"},
		{&granary{versions: mixed, latest: "1.4.0"}, "<1.21", false, "1.4.0",
			"generic/tool/%3C1.21 generic/tool generic/tool?10 generic/tool/latest generic/tool generic/tool?10 generic/tool?20 generic/tool?30 generic/tool/1.4.0"},
		{&granary{versions: mixed, latest: "1.4.0"}, "<1.4", false, "1.1.0", "generic/tool/%3C1.4 generic/tool generic/tool?10 generic/tool?20 generic/tool?30 generic/tool/1.1.0"},
		{&granary{versions: append([]string{"1.9.0 yanked"}, numbered(3, "")...)}, "<2", false, "1.2.0", "generic/tool/%3C2 generic/tool generic/tool/1.2.0"},
		{&granary{versions: open, large: "1.7.0"}, "1.7.0", false, "1.7.0", "generic/tool/1.7.0 generic/tool generic/tool?10 generic/tool?20 generic/tool?30 28/package_files"},
		{&granary{versions: numbered(3, ""), large: "latest"}, "", false, "1.2.0", "generic/tool/latest generic/tool 1/package_files"},
	} {
		c := serve(t, tt.server.ServeHTTP)
		found, err := c.Select(t.Context(), "7", "tool", tt.version, tt.pre)
		if got := found.Version; err == nil && (got != tt.want || found.ID == 0) || err != nil && (client.KindOf(err) != client.NotFound || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: %s, %v, want %s", tt.version, got, err, tt.want)
		}
		if asked := strings.Join(tt.server.asked, " "); asked != tt.asked {
			t.Errorf("%q: asked for\n%s, want\n%s", tt.version, asked, tt.asked)
		}
	}
}

// A server that names no features is asked for versions once, and then as GitLab is.
func TestFindWithoutFeatures(t *testing.T) {
	g := &granary{versions: []string{"1.0.0"}, silent: true, latest: "1.0.0"}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		g.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/packages") {
			fmt.Fprint(w, `[{"id":1,"name":"tool","version":"1.0.0","package_type":"generic"}]`)
		}
	})
	for range 2 {
		if _, err := c.Select(t.Context(), "7", "tool", "", false); !client.Unsupported(err) || client.KindOf(err) != client.Refused {
			t.Error(err)
		}
		if _, err := c.Channels(t.Context(), "7", "tool"); !client.Unsupported(err) {
			t.Error(err)
		}
	}
	if asked := strings.Join(g.asked, " "); asked != "generic/tool/latest" {
		t.Errorf("asked for %s", asked)
	}
}

// A list that leads round in a circle is an error.
func TestVersionsEndlessly(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("X-Granary-Features", "versions")
		w.Header().Set("Link", `</?cursor=a>; rel="next"`)
		fmt.Fprint(w, `{"versions":[{"version":"1.0.0"}]}`)
	})
	if _, err := c.Versions(t.Context(), "7", "tool"); err == nil || !strings.Contains(err.Error(), "does not end") || asked != 2 {
		t.Errorf("%v after %d requests", err, asked)
	}
}

// A proxy that unescapes %2F is the reason then, and not the version.
func TestSelectBehindAProxyThatUnescapes(t *testing.T) {
	for _, said := range []string{"404 Not Found", "404 Not Found - the path of the project came with a plain slash, as some proxies send it"} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Granary-Features", "selectors")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"error":%q}`, said)
		})
		_, err := c.Select(t.Context(), "group/project", "tool", "^1", false)
		if e, ok := errors.AsType[*client.Error](err); !ok || !e.Unescaped {
			t.Errorf("%s: %v", said, err)
		}
	}
}
