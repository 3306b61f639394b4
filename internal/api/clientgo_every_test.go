package api_test

import (
	"testing"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// TestGitLabClientKnowsTheRest: what the other tests do not call of the endpoints
// that GitLab's own client knows here, each once, in an order that works.
func TestGitLabClientKnowsTheRest(t *testing.T) {
	s := newServer(t)
	g := gitlabClient(t, s, rootToken)
	acme := s.group("acme", 0)
	other := s.group("other", 0)
	s.group("below", acme)
	s.projectIn(acme, "tool", "private")
	s.project("friend", "private")
	const tool, friend = "acme/tool", "root/friend"
	dev := s.root("POST", "/api/v4/users", map[string]any{"username": "dev", "name": "Dev", "email": "dev@example.com", "password": "a long password"}).must(t, 201)
	id := int64(dev["id"].(float64))
	role, scopes := gitlab.Ptr(gitlab.MaintainerPermissions), &[]string{"read_api", "self_rotate"}
	soon := gitlab.Ptr(gitlab.ISOTime(time.Now().AddDate(0, 1, 0)))
	target := s.root("GET", "/api/v4/projects/root%2Ffriend", nil).must(t, 200)
	friendID := int64(target["id"].(float64))

	var made int64 // the last token
	var secret string
	for _, step := range []struct {
		what string
		want int
		call func() (any, *gitlab.Response, error)
	}{
		{"metadata", 200, func() (any, *gitlab.Response, error) { return three(g.Metadata.GetMetadata()) }},
		{"users", 200, func() (any, *gitlab.Response, error) { return three(g.Users.ListUsers(&gitlab.ListUsersOptions{})) }},
		{"user", 200, func() (any, *gitlab.Response, error) { return three(g.Users.GetUser(id, nil)) }},
		{"block", 201, func() (any, *gitlab.Response, error) { return two(g.Users.BlockUser(id)) }},
		{"unblock", 201, func() (any, *gitlab.Response, error) { return two(g.Users.UnblockUser(id)) }},
		{"own token", 201, func() (any, *gitlab.Response, error) {
			return three(g.Users.CreatePersonalAccessTokenForCurrentUser(&gitlab.CreatePersonalAccessTokenForCurrentUserOptions{Name: gitlab.Ptr("k8s"), Scopes: &[]string{"k8s_proxy"}}))
		}},
		{"user's projects", 200, func() (any, *gitlab.Response, error) { return three(g.Projects.ListUserProjects(id, nil)) }},
		{"tokens", 200, func() (any, *gitlab.Response, error) {
			return three(g.PersonalAccessTokens.ListPersonalAccessTokens(nil))
		}},
		{"a token", 201, func() (any, *gitlab.Response, error) {
			token, resp, err := g.Users.CreatePersonalAccessToken(id, &gitlab.CreatePersonalAccessTokenOptions{Name: gitlab.Ptr("t"), Scopes: scopes, ExpiresAt: soon})
			made = token.ID
			return token, resp, err
		}},
		{"token by id", 200, func() (any, *gitlab.Response, error) {
			return three(g.PersonalAccessTokens.GetSinglePersonalAccessTokenByID(made))
		}},
		{"rotate a token", 200, func() (any, *gitlab.Response, error) {
			token, resp, err := g.PersonalAccessTokens.RotatePersonalAccessTokenByID(made, nil)
			made = token.ID
			return token, resp, err
		}},
		{"revoke a token", 204, func() (any, *gitlab.Response, error) {
			return two(g.PersonalAccessTokens.RevokePersonalAccessTokenByID(made))
		}},

		{"groups", 200, func() (any, *gitlab.Response, error) { return three(g.Groups.ListGroups(nil)) }},
		{"subgroups", 200, func() (any, *gitlab.Response, error) { return three(g.Groups.ListSubGroups("acme", nil)) }},
		{"group's projects", 200, func() (any, *gitlab.Response, error) { return three(g.Groups.ListGroupProjects("acme", nil)) }},
		{"group", 200, func() (any, *gitlab.Response, error) { return three(g.Groups.GetGroup("acme", nil)) }},
		{"edit a group", 200, func() (any, *gitlab.Response, error) {
			return three(g.Groups.UpdateGroup("acme", &gitlab.UpdateGroupOptions{Description: gitlab.Ptr("d")}))
		}},
		{"member of a group", 201, func() (any, *gitlab.Response, error) {
			return three(g.GroupMembers.AddGroupMember("acme", &gitlab.AddGroupMemberOptions{UserID: &id, AccessLevel: role}))
		}},
		{"group members", 200, func() (any, *gitlab.Response, error) { return three(g.Groups.ListGroupMembers("acme", nil)) }},
		{"all group members", 200, func() (any, *gitlab.Response, error) { return three(g.Groups.ListAllGroupMembers("acme", nil)) }},
		{"group member", 200, func() (any, *gitlab.Response, error) { return three(g.GroupMembers.GetGroupMember("acme", id)) }},
		{"inherited group member", 200, func() (any, *gitlab.Response, error) {
			return three(g.GroupMembers.GetInheritedGroupMember("acme/below", id))
		}},
		{"change a group member", 200, func() (any, *gitlab.Response, error) {
			return three(g.GroupMembers.EditGroupMember("acme", id, &gitlab.EditGroupMemberOptions{AccessLevel: gitlab.Ptr(gitlab.GuestPermissions)}))
		}},
		{"inherited member", 200, func() (any, *gitlab.Response, error) {
			return three(g.ProjectMembers.GetInheritedProjectMember(tool, id))
		}},
		{"member", 201, func() (any, *gitlab.Response, error) {
			return three(g.ProjectMembers.AddProjectMember(tool, &gitlab.AddProjectMemberOptions{UserID: id, AccessLevel: role}))
		}},
		{"members", 200, func() (any, *gitlab.Response, error) { return three(g.ProjectMembers.ListProjectMembers(tool, nil)) }},
		{"all members", 200, func() (any, *gitlab.Response, error) { return three(g.ProjectMembers.ListAllProjectMembers(tool, nil)) }},
		{"get a member", 200, func() (any, *gitlab.Response, error) { return three(g.ProjectMembers.GetProjectMember(tool, id)) }},
		{"change a member", 200, func() (any, *gitlab.Response, error) {
			return three(g.ProjectMembers.EditProjectMember(tool, id, &gitlab.EditProjectMemberOptions{AccessLevel: gitlab.Ptr(gitlab.OwnerPermissions)}))
		}},
		{"remove a member", 204, func() (any, *gitlab.Response, error) { return two(g.ProjectMembers.DeleteProjectMember(tool, id)) }},
		{"remove a group member", 204, func() (any, *gitlab.Response, error) { return two(g.GroupMembers.RemoveGroupMember("acme", id, nil)) }},

		{"set a variable", 201, func() (any, *gitlab.Response, error) {
			return three(g.ProjectVariables.CreateVariable(tool, &gitlab.CreateProjectVariableOptions{Key: gitlab.Ptr("A"), Value: gitlab.Ptr("1")}))
		}},
		{"variables", 200, func() (any, *gitlab.Response, error) { return three(g.ProjectVariables.ListVariables(tool, nil)) }},
		{"variable", 200, func() (any, *gitlab.Response, error) { return three(g.ProjectVariables.GetVariable(tool, "A", nil)) }},
		{"change a variable", 200, func() (any, *gitlab.Response, error) {
			return three(g.ProjectVariables.UpdateVariable(tool, "A", &gitlab.UpdateProjectVariableOptions{Value: gitlab.Ptr("2")}))
		}},
		{"drop a variable", 204, func() (any, *gitlab.Response, error) { return two(g.ProjectVariables.RemoveVariable(tool, "A", nil)) }},
		{"set a group's variable", 201, func() (any, *gitlab.Response, error) {
			return three(g.GroupVariables.CreateVariable("acme", &gitlab.CreateGroupVariableOptions{Key: gitlab.Ptr("A"), Value: gitlab.Ptr("1")}))
		}},
		{"group's variables", 200, func() (any, *gitlab.Response, error) { return three(g.GroupVariables.ListVariables("acme", nil)) }},
		{"group's variable", 200, func() (any, *gitlab.Response, error) { return three(g.GroupVariables.GetVariable("acme", "A", nil)) }},
		{"change a group's variable", 200, func() (any, *gitlab.Response, error) {
			return three(g.GroupVariables.UpdateVariable("acme", "A", &gitlab.UpdateGroupVariableOptions{Value: gitlab.Ptr("2")}))
		}},
		{"drop a group's variable", 204, func() (any, *gitlab.Response, error) { return two(g.GroupVariables.RemoveVariable("acme", "A", nil)) }},

		{"project token", 201, func() (any, *gitlab.Response, error) {
			token, resp, err := g.ProjectAccessTokens.CreateProjectAccessToken(tool, &gitlab.CreateProjectAccessTokenOptions{Name: gitlab.Ptr("p"), Scopes: scopes, AccessLevel: role, ExpiresAt: soon})
			made = token.ID
			return token, resp, err
		}},
		{"project tokens", 200, func() (any, *gitlab.Response, error) {
			return three(g.ProjectAccessTokens.ListProjectAccessTokens(tool, nil))
		}},
		{"get a project token", 200, func() (any, *gitlab.Response, error) {
			return three(g.ProjectAccessTokens.GetProjectAccessToken(tool, made))
		}},
		{"rotate a project token", 200, func() (any, *gitlab.Response, error) {
			token, resp, err := g.ProjectAccessTokens.RotateProjectAccessToken(tool, made, nil)
			made, secret = token.ID, token.Token
			return token, resp, err
		}},
		{"it rotates itself", 200, func() (any, *gitlab.Response, error) {
			token, resp, err := gitlabClient(t, s, secret).ProjectAccessTokens.RotateProjectAccessTokenSelf(tool, nil)
			made = token.ID
			return token, resp, err
		}},
		{"revoke a project token", 204, func() (any, *gitlab.Response, error) {
			return two(g.ProjectAccessTokens.RevokeProjectAccessToken(tool, made))
		}},
		{"group token", 201, func() (any, *gitlab.Response, error) {
			token, resp, err := g.GroupAccessTokens.CreateGroupAccessToken("acme", &gitlab.CreateGroupAccessTokenOptions{Name: gitlab.Ptr("g"), Scopes: scopes, AccessLevel: role, ExpiresAt: soon})
			made = token.ID
			return token, resp, err
		}},
		{"group tokens", 200, func() (any, *gitlab.Response, error) {
			return three(g.GroupAccessTokens.ListGroupAccessTokens("acme", nil))
		}},
		{"get a group token", 200, func() (any, *gitlab.Response, error) {
			return three(g.GroupAccessTokens.GetGroupAccessToken("acme", made))
		}},
		{"rotate a group token", 200, func() (any, *gitlab.Response, error) {
			token, resp, err := g.GroupAccessTokens.RotateGroupAccessToken("acme", made, nil)
			made, secret = token.ID, token.Token
			return token, resp, err
		}},
		{"it rotates itself too", 200, func() (any, *gitlab.Response, error) {
			token, resp, err := gitlabClient(t, s, secret).GroupAccessTokens.RotateGroupAccessTokenSelf("acme", nil)
			made = token.ID
			return token, resp, err
		}},
		{"revoke a group token", 204, func() (any, *gitlab.Response, error) {
			return two(g.GroupAccessTokens.RevokeGroupAccessToken("acme", made))
		}},

		{"group's deploy token", 201, func() (any, *gitlab.Response, error) {
			token, resp, err := g.DeployTokens.CreateGroupDeployToken("acme", &gitlab.CreateGroupDeployTokenOptions{Name: gitlab.Ptr("d"), Scopes: &[]string{"read_package_registry"}})
			made = token.ID
			return token, resp, err
		}},
		{"all deploy tokens", 200, func() (any, *gitlab.Response, error) { return three(g.DeployTokens.ListAllDeployTokens()) }},
		{"group's deploy tokens", 200, func() (any, *gitlab.Response, error) {
			return three(g.DeployTokens.ListGroupDeployTokens("acme", nil))
		}},
		{"get a group's deploy token", 200, func() (any, *gitlab.Response, error) {
			return three(g.DeployTokens.GetGroupDeployToken("acme", made))
		}},
		{"drop a group's deploy token", 204, func() (any, *gitlab.Response, error) {
			return two(g.DeployTokens.DeleteGroupDeployToken("acme", made))
		}},

		{"job token scope", 200, func() (any, *gitlab.Response, error) {
			return three(g.JobTokenScope.GetProjectJobTokenAccessSettings(tool))
		}},
		{"set the job token scope", 204, func() (any, *gitlab.Response, error) {
			return two(g.JobTokenScope.PatchProjectJobTokenAccessSettings(tool, &gitlab.PatchProjectJobTokenAccessSettingsOptions{Enabled: true}))
		}},
		{"allow a project", 201, func() (any, *gitlab.Response, error) {
			return three(g.JobTokenScope.AddProjectToJobScopeAllowList(tool, &gitlab.JobTokenInboundAllowOptions{TargetProjectID: &friendID}))
		}},
		{"allowed projects", 200, func() (any, *gitlab.Response, error) {
			return three(g.JobTokenScope.GetProjectJobTokenInboundAllowList(tool, nil))
		}},
		{"allow it no more", 204, func() (any, *gitlab.Response, error) {
			return two(g.JobTokenScope.RemoveProjectFromJobScopeAllowList(tool, friendID))
		}},
		{"allow a group", 201, func() (any, *gitlab.Response, error) {
			return three(g.JobTokenScope.AddGroupToJobTokenAllowlist(tool, &gitlab.AddGroupToJobTokenAllowlistOptions{TargetGroupID: &other}))
		}},
		{"allowed groups", 200, func() (any, *gitlab.Response, error) {
			return three(g.JobTokenScope.GetJobTokenAllowlistGroups(tool, nil))
		}},
		{"allow that no more", 204, func() (any, *gitlab.Response, error) {
			return two(g.JobTokenScope.RemoveGroupFromJobTokenAllowlist(tool, other))
		}},

		{"jobs", 200, func() (any, *gitlab.Response, error) {
			made = int64(s.root("POST", "/api/v4/projects/acme%2Ftool/jobs", nil).must(t, 201)["id"].(float64))
			return three(g.Jobs.ListProjectJobs(tool, nil))
		}},
		{"job", 200, func() (any, *gitlab.Response, error) { return three(g.Jobs.GetJob(tool, made)) }},
		{"feature definitions", 200, func() (any, *gitlab.Response, error) { return three(g.Features.ListFeatureDefinitions()) }},
		{"drop a feature", 204, func() (any, *gitlab.Response, error) { return two(g.Features.DeleteFeatureFlag("any")) }},
		{"project", 200, func() (any, *gitlab.Response, error) { return three(g.Projects.GetProject(friend, nil)) }},
		{"delete a project", 202, func() (any, *gitlab.Response, error) { return two(g.Projects.DeleteProject(friend, nil)) }},
		{"delete a group", 202, func() (any, *gitlab.Response, error) { return two(g.Groups.DeleteGroup("other", nil)) }},
	} {
		_, resp, err := step.call()
		status(t, step.what, resp, err, step.want)
	}
}

// three forgets the type of what a call returned; two is for calls that return
// nothing.
func three[T any](v T, resp *gitlab.Response, err error) (any, *gitlab.Response, error) {
	return v, resp, err
}

func two(resp *gitlab.Response, err error) (any, *gitlab.Response, error) { return nil, resp, err }
