package ui_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"granary/internal/registry"
)

// publishMany publishes so many small files, some at once.
func (s *site) publishMany(n int, name func(i int) registry.Raw) {
	s.t.Helper()
	admin, next := s.actor("admin"), make(chan int)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := range next {
				body := fmt.Sprint("bytes of ", i%50)
				if _, err := s.registry.Publish(s.t.Context(), admin, "acme/tools", name(i), strings.NewReader(body), registry.PublishOptions{Length: int64(len(body))}); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// TestManyFilesAndVersions: ten thousand files of a version and five thousand versions of a
// package are reached page by page, at no more queries than few.
func TestManyFilesAndVersions(t *testing.T) {
	files, versions := 10_000, 5_000
	if testing.Short() {
		files, versions = 500, 200
	}
	s := newSite(t)
	asked := countReads(t, s.db)
	s.acme()
	s.publishMany(files, func(i int) registry.Raw {
		return registry.Raw{Name: "wide", Version: "1.0.0", File: fmt.Sprintf("f%05d.bin", i)}
	})
	s.publishMany(versions, func(i int) registry.Raw {
		return registry.Raw{Name: "long", Version: fmt.Sprintf("1.%d.0", i), File: "f.bin"}
	})
	b := s.as("maintainer")
	const wide, long = "/acme/tools/-/packages/generic/wide/1.0.0", "/acme/tools/-/packages/generic/long"
	last := fmt.Sprintf("f%05d.bin", files-1)
	for address, texts := range map[string][]string{
		wide:                                   {"f00000.bin", plural(files) + " files, ", `rel="next"`},
		wide + "?page=" + fmt.Sprint(files/50): {last, `rel="prev"`},
		long:                                   {fmt.Sprintf("1.%d.0", versions-1), `rel="next"`},
		long + "?order=date":                   {`rel="next"`},
		long + "?search=^1&pre=no":             {`rel="next"`},
		long + "/1.7.0":                        {"f.bin", "1.6.0", "1.8.0"},
		"/acme/tools/-/packages/delete?name=long": {"Type long"},
	} {
		b.get(address).wants(t, 200, texts...)
		before := asked.Load()
		got := b.get(address).wants(t, 200, texts...)
		if n := asked.Load() - before; n > 32 || len(got.body) > 100<<10 {
			t.Errorf("%s: %d queries, %d bytes", address, n, len(got.body))
		}
	}
	steps := 0
	for address := long; address != ""; steps++ {
		got := b.get(address).wants(t, 200)
		address = ""
		for a := range got.parse(t).elements("a") {
			if a.value("rel") == "next" && steps < 5 {
				address = s.absolute(long, a.value("href"))
			}
		}
	}
	if steps != 6 {
		t.Errorf("%d pages of versions were reached", steps)
	}
	b.get(wide+"?page="+fmt.Sprint(files/50+1)).wants(t, 200)
}

func plural(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// TestHTMLFile: a file that is HTML is downloaded, never shown, and could do nothing if a
// browser showed it.
func TestHTMLFile(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.publish("acme/tools", "evil", "1.0.0", "evil.html", "<script>alert(document.domain)</script>")
	s.publish("acme/tools", "evil", "1.0.0", "evil.svg", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`)
	b := s.as("guest")
	links := 0
	for _, to := range b.get("/acme/tools/-/packages/generic/evil/1.0.0").wants(t, 200).parse(t).links() {
		if !strings.Contains(to, "/-/package_files/") {
			continue
		}
		links++
		got := b.get(to).wants(t, 200)
		disposition, policy := got.Header.Get("Content-Disposition"), got.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(disposition, "attachment") || got.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: %v", to, got.Header)
		}
		if kind := got.Header.Get("Content-Type"); strings.Contains(kind, "html") || strings.Contains(kind, "svg") {
			t.Errorf("%s has the type %s", to, kind)
		}
		s.nobody().get(to).lacks(t, "alert")
		s.as("stranger").get(to).wants(t, 404)
	}
	if links < 2 {
		t.Errorf("%d links lead to files", links)
	}
}
