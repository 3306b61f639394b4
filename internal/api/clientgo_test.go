package api_test

import (
	"strings"
	"testing"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// gitlabClient is GitLab's own Go client: a user that nobody here wrote.
func gitlabClient(t *testing.T, s *server, token string) *gitlab.Client {
	t.Helper()
	c, err := gitlab.NewClient(token, gitlab.WithBaseURL(s.url))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// status fails the test unless the call went as it should.
func status(t *testing.T, what string, resp *gitlab.Response, err error, want int) {
	t.Helper()
	switch {
	case resp == nil:
		t.Fatalf("%s: %v", what, err)
	case resp.StatusCode != want || want < 300 && err != nil:
		t.Fatalf("%s: %d %v, want %d", what, resp.StatusCode, err, want)
	}
}

// TestGitLabClient starts from an administrator's token: a user, a group, a
// project in it, a membership, tokens; then it publishes and installs.
func TestGitLabClient(t *testing.T) {
	s := newServer(t)
	admin := gitlabClient(t, s, rootToken)

	version, resp, err := admin.Version.GetVersion()
	status(t, "version", resp, err, 200)
	if !strings.HasPrefix(version.Version, "18.") {
		t.Errorf("version %q", version.Version)
	}
	user, resp, err := admin.Users.CreateUser(&gitlab.CreateUserOptions{
		Email: gitlab.Ptr("dev@example.com"), Username: gitlab.Ptr("dev"), Name: gitlab.Ptr("Dev"), ForceRandomPassword: gitlab.Ptr(true),
	})
	status(t, "user", resp, err, 201)
	_, resp, _ = admin.Users.CreateUser(&gitlab.CreateUserOptions{
		Email: gitlab.Ptr("DEV@example.com"), Username: gitlab.Ptr("other"), Name: gitlab.Ptr("Dev"), ForceRandomPassword: gitlab.Ptr(true),
	})
	status(t, "the same email", resp, nil, 409)
	pat, resp, err := admin.Users.CreatePersonalAccessToken(user.ID, &gitlab.CreatePersonalAccessTokenOptions{
		Name: gitlab.Ptr("ci"), Scopes: &[]string{"api"}, ExpiresAt: gitlab.Ptr(gitlab.ISOTime(time.Now().AddDate(0, 1, 0))),
	})
	status(t, "token", resp, err, 201)
	if !pat.Active || pat.Token == "" || pat.ExpiresAt == nil {
		t.Errorf("token %+v", pat)
	}
	group, resp, err := admin.Groups.CreateGroup(&gitlab.CreateGroupOptions{Name: gitlab.Ptr("Acme"), Path: gitlab.Ptr("acme")})
	status(t, "group", resp, err, 201)
	sub, resp, err := admin.Groups.CreateGroup(&gitlab.CreateGroupOptions{Name: gitlab.Ptr("Sub"), Path: gitlab.Ptr("sub"), ParentID: gitlab.Ptr(group.ID)})
	status(t, "subgroup", resp, err, 201)
	if sub.FullPath != "acme/sub" || sub.FullName != "Acme / Sub" {
		t.Errorf("subgroup %q %q", sub.FullPath, sub.FullName)
	}
	project, resp, err := admin.Projects.CreateProject(&gitlab.CreateProjectOptions{Name: gitlab.Ptr("My Tool"), NamespaceID: gitlab.Ptr(sub.ID)})
	status(t, "project", resp, err, 201)
	if project.PathWithNamespace != "acme/sub/my-tool" || project.Namespace.Kind != "group" ||
		project.PackageRegistryAccessLevel != gitlab.EnabledAccessControl {
		t.Errorf("project %+v", project)
	}
	_, resp, err = admin.GroupMembers.AddGroupMember(group.ID, &gitlab.AddGroupMemberOptions{
		UserID: gitlab.Ptr(user.ID), AccessLevel: gitlab.Ptr(gitlab.DeveloperPermissions),
	})
	status(t, "member", resp, err, 201)

	dev := gitlabClient(t, s, pat.Token)
	me, resp, err := dev.Users.CurrentUser()
	status(t, "whoami", resp, err, 200)
	if me.Username != "dev" {
		t.Errorf("I am %q", me.Username)
	}
	seen, resp, err := dev.Projects.GetProject("acme/sub/my-tool", nil)
	status(t, "project by path", resp, err, 200)
	if seen.Permissions == nil || seen.Permissions.GroupAccess == nil || seen.Permissions.GroupAccess.AccessLevel != gitlab.DeveloperPermissions {
		t.Errorf("permissions %+v", seen.Permissions)
	}
	all, resp, err := dev.ProjectMembers.ListAllProjectMembers(project.ID, nil)
	status(t, "all members", resp, err, 200)
	if len(all) != 2 || resp.TotalItems != 2 {
		t.Errorf("%d members, %d told", len(all), resp.TotalItems)
	}

	file, resp, err := dev.GenericPackages.PublishPackageFile("acme/sub/my-tool", "my.tool", "1.4.0", "tool.tar.gz", strings.NewReader("bytes"),
		&gitlab.PublishPackageFileOptions{Status: gitlab.Ptr(gitlab.PackageHidden), Select: gitlab.Ptr(gitlab.SelectPackageFile)})
	status(t, "publish with select", resp, err, 200)
	if file.ID == 0 || file.PackageID == 0 || file.FileName != "tool.tar.gz" || file.Size != 5 || file.CreatedAt == nil ||
		file.FileSHA256 != "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9" {
		t.Errorf("file %+v", file)
	}
	_, resp, err = dev.GenericPackages.PublishPackageFile(project.ID, "my.tool", "1.4.0", "tool.tar.gz", strings.NewReader("bytes"), nil)
	status(t, "publish", resp, err, 201)
	got, resp, err := dev.GenericPackages.DownloadPackageFile(project.ID, "my.tool", "1.4.0", "tool.tar.gz")
	status(t, "download", resp, err, 200)
	if string(got) != "bytes" {
		t.Errorf("downloaded %q", got)
	}
}

// TestGitLabClientAdministers: settings, flags, deploy tokens, rotation, as the
// client sends and reads them.
func TestGitLabClientAdministers(t *testing.T) {
	s := newServer(t)
	admin := gitlabClient(t, s, rootToken)
	project, resp, err := admin.Projects.CreateProject(&gitlab.CreateProjectOptions{Path: gitlab.Ptr("tool")})
	status(t, "project", resp, err, 201)
	edited, resp, err := admin.Projects.EditProject(project.ID, &gitlab.EditProjectOptions{
		Visibility: gitlab.Ptr(gitlab.InternalVisibility), PackageRegistryAccessLevel: gitlab.Ptr(gitlab.PublicAccessControl), Description: gitlab.Ptr("d"),
	})
	status(t, "edit", resp, err, 200)
	if edited.Visibility != gitlab.InternalVisibility || edited.PackageRegistryAccessLevel != gitlab.PublicAccessControl || edited.Description != "d" {
		t.Errorf("edited %+v", edited)
	}
	_, resp, err = admin.Projects.ArchiveProject(project.ID)
	status(t, "archive", resp, err, 201)
	_, resp, err = admin.Projects.UnarchiveProject(project.ID)
	status(t, "unarchive", resp, err, 201)

	flag, resp, err := admin.Features.SetFeatureFlag("generic_packages", &gitlab.SetFeatureFlagOptions{Value: false, Project: "root/tool"})
	status(t, "flag off", resp, err, 201)
	if flag.State != "conditional" {
		t.Errorf("flag %+v", flag)
	}
	_, resp, _ = admin.GenericPackages.DownloadPackageFile(project.ID, "t", "1.0.0", "f")
	status(t, "download while off", resp, nil, 404)
	flags, resp, err := admin.Features.ListFeatures()
	status(t, "flags", resp, err, 200)
	if len(flags) != 1 {
		t.Errorf("flags %+v", flags)
	}

	deploy, resp, err := admin.DeployTokens.CreateProjectDeployToken(project.ID, &gitlab.CreateProjectDeployTokenOptions{
		Name: gitlab.Ptr("ci"), Scopes: &[]string{"read_package_registry"}, ExpiresAt: gitlab.Ptr(time.Now().Add(time.Hour)),
	})
	status(t, "deploy token", resp, err, 201)
	if deploy.Token == "" || !strings.HasPrefix(deploy.Username, "gitlab+deploy-token-") {
		t.Errorf("deploy token %+v", deploy)
	}
	tokens, resp, err := admin.DeployTokens.ListProjectDeployTokens(project.ID, nil)
	status(t, "deploy tokens", resp, err, 200)
	if len(tokens) != 1 || tokens[0].Token != "" {
		t.Errorf("deploy tokens %+v", tokens)
	}
	resp, err = admin.DeployTokens.DeleteProjectDeployToken(project.ID, deploy.ID)
	status(t, "delete deploy token", resp, err, 204)

	own, resp, err := admin.PersonalAccessTokens.GetSinglePersonalAccessToken()
	status(t, "own token", resp, err, 200)
	next, resp, err := admin.PersonalAccessTokens.RotatePersonalAccessTokenSelf(nil)
	status(t, "rotate", resp, err, 200)
	if next.ID == own.ID || next.Token == "" || next.ExpiresAt == nil {
		t.Errorf("rotated %+v", next)
	}
	_, resp, _ = admin.Users.CurrentUser()
	status(t, "with the old token", resp, nil, 401)
	resp, err = gitlabClient(t, s, next.Token).Projects.DeleteProject(project.ID, nil)
	status(t, "delete", resp, err, 202)
}

// TestGitLabClientPages: the client walks a list by the headers it reads.
func TestGitLabClientPages(t *testing.T) {
	s := newServer(t)
	admin := gitlabClient(t, s, rootToken)
	for i := range 21 {
		s.project("p"+itoa(int64(i)), "private")
	}
	first, resp, err := admin.Projects.ListProjects(nil)
	status(t, "first page", resp, err, 200)
	if len(first) != 20 || resp.TotalItems != 21 || resp.TotalPages != 2 || resp.NextPage != 2 || resp.CurrentPage != 1 {
		t.Errorf("%d rows, %+v", len(first), resp)
	}
	last, resp, err := admin.Projects.ListProjects(&gitlab.ListProjectsOptions{ListOptions: gitlab.ListOptions{Page: resp.NextPage}})
	status(t, "last page", resp, err, 200)
	if len(last) != 1 || resp.NextPage != 0 || resp.PreviousPage != 1 {
		t.Errorf("%d rows, %+v", len(last), resp)
	}
	links := s.root("GET", "/api/v4/projects?page=2&per_page=5", nil)
	links.header(t, "X-Per-Page: 5", "X-Page: 2", "X-Next-Page: 3", "X-Prev-Page: 1", "X-Total: 21", "X-Total-Pages: 5")
	for _, rel := range []string{"prev", "next", "first", "last"} {
		if !strings.Contains(links.Header.Get("Link"), `rel="`+rel+`"`) {
			t.Errorf("no %s in %s", rel, links.Header.Get("Link"))
		}
	}
	for path, want := range map[string]string{
		"/api/v4/projects?per_page=0":            `{"error":"per_page has a value not allowed"}`,
		"/api/v4/projects?per_page=-1":           `{"error":"per_page does not have a valid value"}`,
		"/api/v4/projects?page=x":                `{"error":"page is invalid"}`,
		"/api/v4/projects?page=0":                `{"error":"page does not have a valid value"}`,
		"/api/v4/projects?order_by=size":         `{"error":"order_by does not have a valid value"}`,
		"/api/v4/projects?page=x&visibility=all": `{"error":"visibility does not have a valid value, page is invalid"}`,
	} {
		s.root("GET", path, nil).is(t, 400, want)
	}
	s.root("GET", "/api/v4/projects?page=99", nil).is(t, 200, "[]")
}
