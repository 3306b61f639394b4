package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"granary/dev/cluster"
)

const (
	fewPackages       = 10_000
	manyPackages      = 1_000_000
	quickFewPackages  = 1_000 // with -quick
	quickManyPackages = 10_000
)

// pagesTable compares the page of a project's packages with the JSON list of the same
// twenty rows, in a project of few packages and in one of many.
type pagesTable struct {
	*versionsTable
	database string
	cookie   string
	projects [2]pagedProject
}

// pagedProject is a project, and the medians of each round in seconds.
type pagedProject struct {
	path       string
	packages   int
	page, json []float64
}

// comparePages measures servers of its own, on each database, and prints a table for each
// whose name -only is part of.
func comparePages(ctx context.Context, w io.Writer, d *driver, o options) error {
	for _, t := range []struct {
		name    string
		measure func(context.Context, io.Writer, *driver, options) error
	}{
		{"pages on SQLite", pagesOnSQLite},
		{"pages on PostgreSQL", pagesOnPostgres},
	} {
		if !strings.Contains(t.name, o.only) {
			continue
		}
		if err := t.measure(ctx, w, d, o); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

func pagesOnSQLite(ctx context.Context, w io.Writer, d *driver, o options) (err error) {
	dir := filepath.Join(d.dir, "pages")
	s, err := startGranary(ctx, dir, o)
	if err != nil {
		return err
	}
	defer func() {
		s.stop()
		err = errors.Join(err, os.RemoveAll(dir)) // the next table needs the room
	}()
	return pagesOf(ctx, w, d, o, s, "SQLite")
}

func pagesOnPostgres(ctx context.Context, w io.Writer, d *driver, o options) (err error) {
	c, err := cluster.Start(ctx, cluster.Options{Nodes: 1, Token: o.token, Dir: d.dir, Granary: o.granary})
	defer func() { err = errors.Join(err, c.Stop()) }()
	if err != nil {
		return err
	}
	return pagesOf(ctx, w, d, o, one("node", c.Addresses[0], c.Nodes[0].Pid(), nil), "PostgreSQL")
}

// pagesOf measures a server and prints its table.
func pagesOf(ctx context.Context, w io.Writer, d *driver, o options, s *server, database string) error {
	s.token = o.token
	t := &pagesTable{versionsTable: &versionsTable{d: d, s: s, o: o}, database: database}
	few, many := fewPackages, manyPackages
	if o.rounds == 1 {
		few, many = quickFewPackages, quickManyPackages
	}
	t.projects = [2]pagedProject{{path: "few", packages: few}, {path: "many", packages: many}}
	if err := t.run(ctx); err != nil {
		return err
	}
	return t.print(w)
}

func (t *pagesTable) run(ctx context.Context) error {
	if err := t.signIn(ctx); err != nil {
		return err
	}
	for i := range t.projects {
		if err := t.fill(ctx, &t.projects[i]); err != nil {
			return err
		}
	}
	for range 2 { // one may have begun before the last package came
		if err := t.counted(ctx); err != nil {
			return err
		}
	}
	for range t.o.rounds {
		for i := range t.projects {
			p := &t.projects[i]
			page, err := t.p50(ctx, "/root/"+p.path, t.cookie)
			if err != nil {
				return err
			}
			list, err := t.p50(ctx, "/api/v4/projects/root%2F"+p.path+"/packages?per_page=20&order_by=created_at&sort=desc", "")
			if err != nil {
				return err
			}
			p.page, p.json = append(p.page, page), append(p.json, list)
		}
	}
	return nil
}

// counted waits until the upkeep has put the names that changed into the orders of lists.
// Until then a list sorts them each time.
func (t *pagesTable) counted(ctx context.Context) error {
	last := ""
	for {
		now, err := t.counters(ctx)
		if err != nil {
			return err
		}
		if last != "" && now != last {
			return nil
		}
		last = now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// counters is when the task of that name last succeeded, as the server's metrics say it.
func (t *pagesTable) counters(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.s.host+"/-/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(string(text), `granary_task_last_success_timestamp_seconds{task="counters"} `)
	at, _, _ := strings.Cut(after, "\n")
	return at, nil
}

// signIn keeps the cookie of a session.
func (t *pagesTable) signIn(ctx context.Context) error {
	status, cookies, err := t.form(ctx, "/-/sign_in", url.Values{"token": {t.s.token}})
	if err != nil {
		return err
	}
	for _, c := range cookies {
		t.cookie = c.Name + "=" + c.Value
	}
	if t.cookie == "" {
		return fmt.Errorf("POST /-/sign_in: status %d without a cookie", status)
	}
	return nil
}

// form sends a form and follows no redirect.
func (t *pagesTable) form(ctx context.Context, path string, values url.Values) (status int, cookies []*http.Cookie, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.s.host+path, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("PRIVATE-TOKEN", t.s.token)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, resp.Cookies(), resp.Body.Close()
}

// fill makes the project and publishes its packages.
func (t *pagesTable) fill(ctx context.Context, p *pagedProject) error {
	status, _, err := t.form(ctx, "/api/v4/projects", url.Values{"name": {p.path}, "path": {p.path}})
	if err != nil {
		return err
	}
	if status != http.StatusCreated {
		return fmt.Errorf("POST /projects: status %d", status)
	}
	paths := make([]string, 0, p.packages)
	for i := range p.packages {
		paths = append(paths, fmt.Sprintf("/api/v4/projects/root%%2F%s/packages/generic/tool-%d/1.0.0/file.bin", p.path, i))
	}
	return t.publish(ctx, paths, 1<<10, t.o.clients)
}

// p50 is the median time in seconds of getting a path for a slice, by one client.
func (t *pagesTable) p50(ctx context.Context, path, cookie string) (float64, error) {
	c, err := dial(ctx, t.s.host, t.s.token)
	if err != nil {
		return 0, err
	}
	defer c.close()
	c.cookie = cookie
	var times []float64
	for end := time.Now().Add(t.d.length); time.Now().Before(end); {
		begun := time.Now()
		status, _, err := c.get(path)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET %s: status %d", path, status)
		}
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(begun).Seconds())
	}
	return median(times), nil
}

func (t *pagesTable) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\npages on "+t.database+", p50\tpage\tJSON list\tratio (min..max)\trounds")
	for _, p := range t.projects {
		fmt.Fprintf(table, "20 of %d packages\t%.2f ms\t%.2f ms\t%s\t%d\n", p.packages, median(p.page)*1000, median(p.json)*1000, inBrackets(ratiosOf(p.page, p.json)), len(p.page))
	}
	few, many := t.projects[0], t.projects[1]
	fmt.Fprintf(table, "page of many / of few\t%.2f ms\t%.2f ms\t%s\t%d\n", median(many.page)*1000, median(few.page)*1000, inBrackets(ratiosOf(many.page, few.page)), len(few.page))
	return table.Flush()
}

// ratiosOf are the ratios within each round.
func ratiosOf(a, b []float64) (ratios []float64) {
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return ratios
}
