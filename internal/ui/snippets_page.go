package ui

import "net/url"

// choice is an option of a select.
type choiceRow struct {
	Value, Name string
	Chosen      bool
}

// tools are commands by tool, for the template snippets.
type tools struct {
	Heading   string
	Files     []choiceRow // to choose from; empty for no choice
	Page      string      // of the files, which a choice keeps; "" for the first
	Missing   string      // a file that was asked for, and is not there
	Snippets  []snippet
	Token     string // what the token in the commands may do: "read packages"; "" for none
	TokensURL string
}

// choices marks the chosen one of pairs of value and name.
func choices(chosen string, pairs ...string) (rows []choiceRow) {
	for i := 0; i < len(pairs); i += 2 {
		rows = append(rows, choiceRow{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return rows
}

// publishing are the commands that publish a file here.
func (v *visit) publishing(name, version, file string) tools {
	base := v.s.Base(v.r)
	address := base + "/api/v4/projects/" + url.PathEscape(v.project.FullPath) + "/packages/generic/" + escapedPath([]string{name, version, file})
	return tools{
		Heading: "Or from a command line", Token: "publish", TokensURL: v.s.at("user", "tokens"),
		Snippets: []snippet{
			{"curl", `curl --fail-with-body --header "PRIVATE-TOKEN: $GRANARY_TOKEN" --upload-file ` + file + ` "` + address + `"`},
			{"granary", "granary login " + base + "\ngranary push " + v.project.FullPath + " " + name + "@" + version + " " + file},
			{"GitLab CI", "publish:\n  script:\n    - >-\n      curl --fail-with-body --header \"JOB-TOKEN: $CI_JOB_TOKEN\" --upload-file " + file +
				"\n      \"$CI_API_V4_URL/projects/$CI_PROJECT_ID/packages/generic/" + name + "/$CI_COMMIT_TAG/" + file + "\""},
		},
	}
}
