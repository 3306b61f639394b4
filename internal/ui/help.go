package ui

import (
	"granary/internal/fault"
	"granary/internal/openapi"
)

// showHelp is how to publish, install and use CI, with this server's address.
func showHelp(v *visit) error {
	base := v.s.Base(v.r)
	return v.show(screen{name: "help", title: "Help", data: struct {
		Base                    string
		Publish, Install, CI    []code
		TokensURL, ProjectsHint string
	}{
		Base: base,
		Publish: []code{
			{"Publish with granary", "granary login " + base + "\ngranary push GROUP/PROJECT tool@1.0.0 dist/*"},
			{"Publish with curl", `curl --fail-with-body --header "PRIVATE-TOKEN: $GRANARY_TOKEN" --upload-file tool.tar.gz "` + base + `/api/v4/projects/GROUP%2FPROJECT/packages/generic/tool/1.0.0/tool.tar.gz"`},
		},
		Install: []code{
			{"Install with granary", "granary pull GROUP/PROJECT tool@latest"},
			{"Install with curl", `curl --fail-with-body --header "PRIVATE-TOKEN: $GRANARY_TOKEN" --remote-name "` + base + `/api/v4/projects/GROUP%2FPROJECT/packages/generic/tool/1.0.0/tool.tar.gz"`},
		},
		CI: []code{
			{"From a pipeline anywhere", "granary ci run --project GROUP/PROJECT -- make release"},
			{"In a job that granary started", `curl --fail-with-body --header "JOB-TOKEN: $CI_JOB_TOKEN" --upload-file tool.tar.gz "$CI_API_V4_URL/projects/$CI_PROJECT_ID/packages/generic/tool/1.0.0/tool.tar.gz"`},
		},
		TokensURL: v.s.at("user", "tokens"),
	}})
}

// apiTag is a tag with the address of its page.
type apiTag struct {
	openapi.Tag
	URL     string
	Current bool
}

// showAPI is the API, from its OpenAPI document, a page for each tag.
func showAPI(v *visit) error {
	all, err := v.s.tags()
	if err != nil {
		return err
	}
	var tags []apiTag
	var chosen *apiTag
	for _, t := range all {
		tags = append(tags, apiTag{t, v.s.at("help", "api", t.Name), t.Name == v.values["tag"]})
	}
	for i := range tags {
		if tags[i].Current {
			chosen = &tags[i]
		}
	}
	if v.values["tag"] != "" && chosen == nil {
		return fault.New(fault.NotFound, "")
	}
	title := "API"
	if chosen != nil {
		title = "API: " + chosen.Name
	}
	return v.show(screen{name: "api", title: title, crumbs: []link{{"Help", v.s.at("help")}}, data: struct {
		Base, Document string
		Tags           []apiTag
		Chosen         *apiTag
	}{v.s.Base(v.r) + "/api/v4", v.s.root + "/api/v4/openapi.json", tags, chosen}})
}

// curlOf is a command that calls an operation.
func curlOf(base string, o openapi.Operation) string {
	method := ""
	if o.Method != "GET" {
		method = "--request " + o.Method + " "
	}
	return `curl --fail-with-body ` + method + `--header "PRIVATE-TOKEN: $GRANARY_TOKEN" "` + base + o.Path + `"`
}
