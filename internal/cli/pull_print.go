package cli

// print prints what was done, or in a dry run what would be.
func (p *pull) print(files []pulled, done pruning) error {
	if p.json {
		return printJSON(p.env, struct {
			Project   string   `json:"project"`
			Name      string   `json:"name"`
			Version   string   `json:"version"`
			Directory string   `json:"directory"`
			DryRun    bool     `json:"dry_run,omitempty"`
			Files     []pulled `json:"files"`
			Removed   []string `json:"removed,omitempty"`
			Stayed    int      `json:"stayed,omitempty"`
		}{p.at.Project, p.at.Name, p.at.Version, p.dir, p.dryRun, files, done.removed, done.stayed})
	}
	out := &printer{w: p.env.Stdout}
	switch {
	case p.dryRun:
		for _, f := range files {
			out.printf("%-9s  %s  %s\n", f.deed(), f.Path, formatBytes(f.Size))
		}
		for _, name := range done.removed {
			out.printf("%-9s  %s\n", "remove", name)
		}
	case !p.quiet:
		p.summarize(out, files, done)
	}
	return out.err
}

// deed is what is done with a file, in a word.
func (f pulled) deed() string {
	switch {
	case f.Action != "download":
		return f.Action
	case f.Replaced:
		return "replace"
	}
	return "install"
}

func (p *pull) summarize(out *printer, files []pulled, done pruning) {
	count, size := map[string]int{}, map[string]int64{}
	for _, f := range files {
		count[f.deed()]++
		size[f.deed()] += f.Size
	}
	out.printf("%s %s: %s installed in %s (%s)", p.at.Name, p.at.Version, counted(int64(count["install"]), "file"), p.dir, formatBytes(size["install"]))
	if n := count["replace"]; n > 0 {
		out.printf(", %d replaced (%s)", n, formatBytes(size["replace"]))
	}
	for _, rest := range []struct {
		n     int
		words string
	}{
		{count["unchanged"], "there already"}, {count["skipped"], "skipped"},
		{len(done.removed), "removed"}, {done.stayed, "not of this version"},
	} {
		if rest.n > 0 {
			out.printf(", %d %s", rest.n, rest.words)
		}
	}
	out.printf("\n")
}
