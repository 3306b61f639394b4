package api_test

import (
	"net/http"
	"strings"
	"testing"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// TestGitLabsClientReleases drives releases with GitLab's own Go client, as a
// user nobody here wrote.
func TestGitLabsClientReleases(t *testing.T) {
	s := newServer(t)
	s.project("tool", "private")
	client, err := gitlab.NewClient(rootToken, gitlab.WithBaseURL(s.url), gitlab.WithoutRetries())
	if err != nil {
		t.Fatal(err)
	}
	const pid, tag = "root/tool", "v1.4.0"
	check := func(what string, resp *gitlab.Response, err error, status int) {
		t.Helper()
		if resp == nil || resp.StatusCode != status {
			t.Fatalf("%s: %v, want %d", what, err, status)
		}
	}

	file, _, err := client.GenericPackages.PublishPackageFile(pid, "tool", "1.4.0", "tool.bin", strings.NewReader("bytes"), nil)
	if err != nil || file.File.URL != "" && !strings.HasPrefix(file.File.URL, s.url) {
		t.Fatal(file, err)
	}
	url := s.url + "/api/v4/projects/root%2Ftool/packages/generic/tool/1.4.0/tool.bin"

	_, resp, err := client.Releases.GetRelease(pid, tag)
	check("a release that is not there", resp, err, 404)
	made, resp, err := client.Releases.CreateRelease(pid, &gitlab.CreateReleaseOptions{
		TagName: gitlab.Ptr(tag), Name: gitlab.Ptr("Tool 1.4"), Description: gitlab.Ptr("* faster"),
		Ref: gitlab.Ptr(strings.Repeat("ab", 20)),
		Assets: &gitlab.ReleaseAssetsOptions{Links: []*gitlab.ReleaseAssetLinkOptions{
			{Name: gitlab.Ptr("site"), URL: gitlab.Ptr("https://example.com"), LinkType: gitlab.Ptr(gitlab.RunbookLinkType)},
		}},
	})
	check("create", resp, err, 201)
	if made.Assets.Count != 1 || made.Assets.Links[0].LinkType != gitlab.RunbookLinkType || made.Commit.ShortID != "abababab" ||
		made.Author.Username != "root" || made.CreatedAt == nil || made.ReleasedAt == nil {
		t.Errorf("made %+v", made)
	}
	_, resp, err = client.Releases.CreateRelease(pid, &gitlab.CreateReleaseOptions{TagName: gitlab.Ptr(tag)})
	check("create again", resp, err, 409)

	link, resp, err := client.ReleaseLinks.CreateReleaseLink(pid, tag, &gitlab.CreateReleaseLinkOptions{
		Name: gitlab.Ptr("tool.bin"), URL: gitlab.Ptr(url), DirectAssetPath: gitlab.Ptr("/tool.bin"), LinkType: gitlab.Ptr(gitlab.PackageLinkType),
	})
	check("link", resp, err, 201)
	_, resp, err = client.ReleaseLinks.CreateReleaseLink(pid, tag, &gitlab.CreateReleaseLinkOptions{Name: gitlab.Ptr("tool.bin"), URL: gitlab.Ptr(url)})
	check("link again", resp, err, 400)
	s.follow(link.DirectAssetURL, "bytes")

	link, resp, err = client.ReleaseLinks.UpdateReleaseLink(pid, tag, link.ID, &gitlab.UpdateReleaseLinkOptions{Name: gitlab.Ptr("the tool"), FilePath: gitlab.Ptr("/bin/tool")})
	check("edit the link", resp, err, 200)
	s.follow(link.DirectAssetURL, "bytes")
	links, resp, err := client.ReleaseLinks.ListReleaseLinks(pid, tag, nil)
	check("list the links", resp, err, 200)
	if len(links) != 2 || links[0].Name != "the tool" || resp.TotalItems != 2 {
		t.Errorf("links %+v", links)
	}
	got, resp, err := client.ReleaseLinks.GetReleaseLink(pid, tag, link.ID)
	check("one link", resp, err, 200)
	if *got != *link {
		t.Errorf("got %+v, want %+v", got, link)
	}
	_, resp, err = client.ReleaseLinks.DeleteReleaseLink(pid, tag, link.ID)
	check("delete the link", resp, err, 200)

	edited, resp, err := client.Releases.UpdateRelease(pid, tag, &gitlab.UpdateReleaseOptions{Description: gitlab.Ptr("* slower")})
	check("edit", resp, err, 200)
	if edited.Description != "* slower" || edited.Name != "Tool 1.4" || edited.Assets.Count != 1 {
		t.Errorf("edited %+v", edited)
	}
	latest, resp, err := client.Releases.GetLatestRelease(pid)
	check("latest", resp, err, 200)
	if latest.TagName != tag {
		t.Errorf("latest %+v", latest)
	}
	all, resp, err := client.Releases.ListReleases(pid, &gitlab.ListReleasesOptions{OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("asc")})
	check("list", resp, err, 200)
	if len(all) != 1 || resp.TotalItems != 1 {
		t.Errorf("all %+v", all)
	}
	upload, resp, err := client.ProjectMarkdownUploads.UploadProjectMarkdown(pid, strings.NewReader("notes"), "notes.txt")
	check("upload", resp, err, 201)
	s.follow(s.url+upload.FullPath, "notes")
	gone, resp, err := client.Releases.DeleteRelease(pid, tag)
	check("delete", resp, err, 200)
	if gone.TagName != tag {
		t.Errorf("gone %+v", gone)
	}
}

// follow downloads an address through its redirects, as root.
func (s *server) follow(url, want string) {
	s.t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Private-Token", rootToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	got := make([]byte, len(want)+1)
	n, _ := resp.Body.Read(got)
	if resp.StatusCode != 200 || string(got[:n]) != want {
		s.t.Errorf("%s: %d %q, want %q", url, resp.StatusCode, got[:n], want)
	}
}
