package cli

import "context"

// check looks for what the server would refuse, before anything is sent.
func (p *push) check(ctx context.Context, files []pushed) error {
	c := checks{client: p.client, project: p.at.Project, name: p.at.Name, jobs: p.jobs, dryRun: p.dryRun, nothing: "nothing was sent"}
	for i := range files {
		if f := &files[i]; f.Action == "upload" {
			c.files = append(c.files, due{&f.planned, p.shelf.file(f.Path), f.source.String()})
		}
	}
	return c.run(ctx)
}
