package api_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// GitLab's official Go client, as a user nobody here wrote.
func (s *server) clientGo(token string) *gitlab.Client {
	s.t.Helper()
	c, err := gitlab.NewClient(token, gitlab.WithBaseURL(s.url), gitlab.WithoutRetries())
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks the status of an error answer.
func refused(t *testing.T, err error, status int) {
	t.Helper()
	e, is := errors.AsType[*gitlab.ErrorResponse](err)
	if !is || e.Response.StatusCode != status {
		t.Errorf("%v, want status %d", err, status)
	}
}

func TestClientGo(t *testing.T) {
	s := newServer(t)
	root := s.clientGo(rootToken)

	user, _, err := root.Users.CreateUser(&gitlab.CreateUserOptions{
		Username: new("ada"), Name: new("Ada"), Email: new("ada@example.com"), ForceRandomPassword: new(true),
	})
	ok(t, err)
	expires := gitlab.ISOTime(time.Now().AddDate(0, 1, 0))
	pat, _, err := root.Users.CreatePersonalAccessToken(user.ID, &gitlab.CreatePersonalAccessTokenOptions{
		Name: new("ci"), Scopes: &[]string{"api"}, ExpiresAt: &expires,
	})
	ok(t, err)
	if pat.UserID != user.ID || pat.ExpiresAt.String() != expires.String() || !pat.Active || pat.Token == "" {
		t.Errorf("token: %+v", pat)
	}
	ada := s.clientGo(pat.Token)
	me, _, err := ada.Users.CurrentUser()
	ok(t, err)
	if me.Username != "ada" || me.State != "active" || me.CreatedAt == nil || me.Email != "ada@example.com" {
		t.Errorf("current user: %+v", me)
	}
	version, _, err := ada.Version.GetVersion()
	ok(t, err)
	if !strings.HasPrefix(version.Version, "18.") {
		t.Errorf("version %s", version.Version)
	}
	meta, _, err := ada.Metadata.GetMetadata()
	ok(t, err)
	if meta.Version != version.Version {
		t.Errorf("metadata: %+v", meta)
	}

	group, _, err := ada.Groups.CreateGroup(&gitlab.CreateGroupOptions{Name: new("Acme"), Path: new("acme"), Visibility: new(gitlab.InternalVisibility)})
	ok(t, err)
	group, _, err = ada.Groups.UpdateGroup(group.ID, &gitlab.UpdateGroupOptions{Description: new("tools")})
	ok(t, err)
	if group.Description != "tools" || group.Visibility != gitlab.InternalVisibility || group.FullPath != "acme" {
		t.Errorf("group: %+v", group)
	}
	project, _, err := ada.Projects.CreateProject(&gitlab.CreateProjectOptions{Name: new("Tool"), NamespaceID: &group.ID, Visibility: new(gitlab.PrivateVisibility)})
	ok(t, err)
	project, _, err = ada.Projects.EditProject("acme/tool", &gitlab.EditProjectOptions{
		Description: new("cuts"), PackageRegistryAccessLevel: new(gitlab.PrivateAccessControl), Topics: &[]string{"cli"},
	})
	ok(t, err)
	if project.PathWithNamespace != "acme/tool" || project.Description != "cuts" || project.PackageRegistryAccessLevel != gitlab.PrivateAccessControl ||
		project.Namespace.Kind != "group" || len(project.Topics) != 1 || project.Permissions.GroupAccess.AccessLevel != gitlab.OwnerPermissions {
		t.Errorf("project: %+v", project)
	}

	t.Run("publish and download", func(t *testing.T) {
		created, _, err := ada.GenericPackages.PublishPackageFile(project.ID, "tool", "1.2.3", "tool-1.2.tar.gz", strings.NewReader("bytes"), nil)
		ok(t, err)
		if created == nil {
			t.Error("no object")
		}
		file, _, err := ada.GenericPackages.PublishPackageFile("acme/tool", "tool", "1.2.3", "tool-1.2.tar.gz", strings.NewReader("more"),
			&gitlab.PublishPackageFileOptions{Select: new(gitlab.SelectPackageFile), Status: new(gitlab.PackageHidden)})
		ok(t, err)
		if file.ID == 0 || file.PackageID == 0 || file.Size != 4 || file.FileName != "tool-1.2.tar.gz" || len(file.FileSHA256) != 64 || file.CreatedAt == nil {
			t.Errorf("file: %+v", file)
		}
		got, _, err := ada.GenericPackages.DownloadPackageFile("acme/tool", "tool", "1.2.3", "tool-1.2.tar.gz")
		ok(t, err)
		if string(got) != "more" {
			t.Errorf("downloaded %q", got)
		}
		_, _, err = ada.GenericPackages.DownloadPackageFile("acme/tool", "tool", "1.2.3", "none")
		if !errors.Is(err, gitlab.ErrNotFound) {
			refused(t, err, 404)
		}
	})
	t.Run("flags", func(t *testing.T) {
		// It sends every parameter, the empty ones too.
		flag, _, err := root.Features.SetFeatureFlag("generic_packages", &gitlab.SetFeatureFlagOptions{Value: false})
		ok(t, err)
		if flag.State != "off" || flag.Gates[0].Key != "boolean" || flag.Definition == nil {
			t.Errorf("flag: %+v", flag)
		}
		_, _, err = ada.GenericPackages.DownloadPackageFile("acme/tool", "tool", "1.2.3", "tool-1.2.tar.gz")
		if err == nil {
			t.Error("the flag is off, and a file comes")
		}
		_, _, err = root.Features.SetFeatureFlag("generic_packages", &gitlab.SetFeatureFlagOptions{Value: true, Project: "acme/tool"})
		ok(t, err)
		_, _, err = ada.GenericPackages.DownloadPackageFile("acme/tool", "tool", "1.2.3", "tool-1.2.tar.gz")
		ok(t, err)
		flags, _, err := root.Features.ListFeatures()
		ok(t, err)
		if len(flags) != 1 || flags[0].State != "conditional" {
			t.Errorf("flags: %+v", flags)
		}
		_, _, err = ada.Features.SetFeatureFlag("generic_packages", &gitlab.SetFeatureFlagOptions{Value: true})
		refused(t, err, 403)
	})
	t.Run("members", func(t *testing.T) {
		bob, token := s.user("bob")
		m, _, err := ada.ProjectMembers.AddProjectMember("acme/tool", &gitlab.AddProjectMemberOptions{UserID: bob, AccessLevel: new(gitlab.DeveloperPermissions)})
		ok(t, err)
		if m.Username != "bob" || m.AccessLevel != gitlab.DeveloperPermissions || m.CreatedBy.Username != "ada" || m.ExpiresAt != nil {
			t.Errorf("member: %+v", m)
		}
		_, _, err = s.clientGo(token).GenericPackages.PublishPackageFile(project.ID, "tool", "2.0.0", "f", strings.NewReader("x"), nil)
		ok(t, err)
		_, _, err = ada.GroupMembers.AddGroupMember("acme", &gitlab.AddGroupMemberOptions{UserID: &bob, AccessLevel: new(gitlab.ReporterPermissions), ExpiresAt: new("2099-01-01")})
		ok(t, err)
		everyone, _, err := ada.ProjectMembers.ListAllProjectMembers("acme/tool", nil)
		ok(t, err)
		if len(everyone) != 2 {
			t.Errorf("members: %+v", everyone)
		}
		_, err = ada.ProjectMembers.DeleteProjectMember("acme/tool", bob)
		ok(t, err)
		_, _, err = s.clientGo(token).GenericPackages.PublishPackageFile(project.ID, "tool", "2.0.0", "f", strings.NewReader("x"), nil)
		refused(t, err, 403)
		_, err = root.Users.BlockUser(bob)
		ok(t, err)
		_, _, err = s.clientGo(token).Users.CurrentUser()
		refused(t, err, 403)
		_, err = root.Users.UnblockUser(bob)
		ok(t, err)
	})
	t.Run("deploy tokens", func(t *testing.T) {
		made, _, err := ada.DeployTokens.CreateProjectDeployToken("acme/tool", &gitlab.CreateProjectDeployTokenOptions{
			Name: new("pull"), Scopes: &[]string{"read_package_registry"}, ExpiresAt: new(time.Now().Add(time.Hour)),
		})
		ok(t, err)
		if made.Token == "" || made.Expired || made.Revoked || made.ExpiresAt == nil || len(made.Scopes) != 1 {
			t.Errorf("deploy token: %+v", made)
		}
		_, _, err = ada.DeployTokens.CreateGroupDeployToken("acme", &gitlab.CreateGroupDeployTokenOptions{Name: new("all"), Scopes: &[]string{"write_package_registry"}})
		ok(t, err)
		all, _, err := root.DeployTokens.ListAllDeployTokens()
		ok(t, err)
		if len(all) != 2 {
			t.Errorf("%d deploy tokens", len(all))
		}
		_, err = ada.DeployTokens.DeleteProjectDeployToken("acme/tool", made.ID)
		ok(t, err)
		_, _, err = ada.DeployTokens.GetProjectDeployToken("acme/tool", made.ID)
		if !errors.Is(err, gitlab.ErrNotFound) {
			refused(t, err, 404)
		}
	})
	t.Run("job token", func(t *testing.T) {
		made := s.as(pat.Token, "POST", v4+"/projects/acme%2Ftool/jobs", map[string]any{"name": "release", "ref": "main"}).must(t, 201)
		c, err := gitlab.NewJobClient(made["token"].(string), gitlab.WithBaseURL(s.url), gitlab.WithoutRetries())
		ok(t, err)
		job, _, err := c.Jobs.GetJobTokensJob(nil)
		ok(t, err)
		if job.Name != "release" || job.Status != "running" || job.User.Username != "ada" || job.Pipeline.ProjectID != project.ID {
			t.Errorf("job: %+v", job)
		}
		_, _, err = c.GenericPackages.PublishPackageFile(project.ID, "tool", "3.0.0", "f", strings.NewReader("x"), nil)
		ok(t, err)
	})
	t.Run("pages", func(t *testing.T) {
		for _, name := range []string{"a", "b", "c"} {
			_, _, err := ada.Projects.CreateProject(&gitlab.CreateProjectOptions{Name: &name})
			ok(t, err)
		}
		list := func(o gitlab.ListOptions) []*gitlab.Project {
			found, err := gitlab.ScanAndCollect(func(p gitlab.PaginationOptionFunc) ([]*gitlab.Project, *gitlab.Response, error) {
				return ada.Projects.ListProjects(&gitlab.ListProjectsOptions{ListOptions: o, OrderBy: new("id"), Membership: new(true)}, p)
			})
			ok(t, err)
			return found
		}
		if n := len(list(gitlab.ListOptions{PerPage: 2})); n != 4 {
			t.Errorf("offset: %d projects, want 4", n)
		}
		if n := len(list(gitlab.ListOptions{PerPage: 1, Pagination: "keyset"})); n != 4 {
			t.Errorf("keyset: %d projects, want 4", n)
		}
		_, resp, err := ada.Projects.ListProjects(&gitlab.ListProjectsOptions{ListOptions: gitlab.ListOptions{PerPage: 3}})
		ok(t, err)
		if resp.TotalItems != 4 || resp.TotalPages != 2 || resp.NextPage != 2 || resp.CurrentPage != 1 {
			t.Errorf("page: %+v", resp)
		}
	})
	t.Run("rotation", func(t *testing.T) {
		next, _, err := ada.PersonalAccessTokens.RotatePersonalAccessTokenSelf(nil)
		ok(t, err)
		_, _, err = ada.Users.CurrentUser()
		refused(t, err, 401)
		tokens, _, err := s.clientGo(next.Token).PersonalAccessTokens.ListPersonalAccessTokens(&gitlab.ListPersonalAccessTokensOptions{State: new("active")})
		ok(t, err)
		if len(tokens) != 1 || tokens[0].ID != next.ID {
			t.Errorf("tokens: %+v", tokens)
		}
	})
	t.Run("the end", func(t *testing.T) {
		_, err := root.Projects.DeleteProject("acme/tool", nil)
		ok(t, err)
		_, err = root.Groups.DeleteGroup("acme", nil)
		ok(t, err)
		_, _, err = root.Groups.GetGroup("acme", nil)
		if !errors.Is(err, gitlab.ErrNotFound) {
			refused(t, err, 404)
		}
	})
}
