"""A user's day with python-gitlab 3.12, Debian 12's. usage: user_day.py URL TOKEN

Where python-gitlab has no words for a call yet, its http_get and friends make it.
"""
import hashlib
import os
import sys
import tempfile
from urllib.request import Request, urlopen

import gitlab

url, token = sys.argv[1:]


def refused(status, call, *args, **kwargs):
    """The call must fail with this status."""
    try:
        call(*args, **kwargs)
    except gitlab.exceptions.GitlabError as e:
        assert e.response_code == status, (status, e.response_code, e.error_message)
        return e.error_message
    raise AssertionError(f"{call} went well, want {status}")


admin = gitlab.Gitlab(url, private_token=token)
admin.auth()
assert admin.user.username == "root", admin.user
assert admin.version()[0].startswith("18."), admin.version()

# A group, a project in it, a user who develops there with a token of her own.
group = admin.groups.create({"name": "Py", "path": "py"})
sub = admin.groups.create({"name": "Sub", "path": "sub", "parent_id": group.id})
assert sub.full_path == "py/sub", sub.full_path
project = admin.projects.create({"name": "tool", "namespace_id": sub.id, "visibility": "private"})
assert project.path_with_namespace == "py/sub/tool"
dev = admin.users.create({"username": "pydev", "name": "Py", "email": "py@example.com", "force_random_password": True})
group.members.create({"user_id": dev.id, "access_level": gitlab.const.AccessLevel.DEVELOPER})
assert [m.username for m in project.members_all.list(get_all=True) if m.access_level == 30] == ["pydev"]
assert not [m for m in project.members.list(get_all=True) if m.username == "pydev"], "an inherited member is listed as direct"
refused(404, gitlab.Gitlab(url).projects.get, "py/sub/tool")
personal = dev.personal_access_tokens.create({"name": "laptop", "scopes": ["api"]})
her = gitlab.Gitlab(url, private_token=personal.token)
her.auth()
assert her.user.id == dev.id and not hasattr(her.user, "private_token")
assert her.personal_access_tokens.list(get_all=True)[0].name == "laptop"

# She publishes: small files, one streamed from disk, the same again; and gets them back.
mine = her.projects.get("py/sub/tool")
assert mine.permissions["group_access"]["access_level"] == 30, mine.permissions
with tempfile.TemporaryDirectory() as scratch:
    small, large = os.path.join(scratch, "small"), os.path.join(scratch, "large")
    with open(small, "wb") as f:
        f.write(b"small\0\r\n")
    digest = hashlib.sha256()
    with open(large, "wb") as f:
        for i in range(32):
            block = hashlib.sha256(bytes([i])).digest() * 32768  # 1 MiB
            digest.update(block)
            f.write(block)
    for i in range(25):
        sent = mine.generic_packages.upload("many", f"1.0.{i}", "small.bin", small)
        assert sent.message == "201 Created", sent
    with open(large, "rb") as f:
        row = her.http_put(f"/projects/{mine.id}/packages/generic/big/2.0.0/large.tar.gz", post_data=f, raw=True,
                           query_data={"select": "package_file"})
    assert row["size"] == 32 << 20 and row["file_sha256"] == digest.hexdigest(), row
    mine.generic_packages.upload("big", "2.0.0", "small.bin", small)
    assert "package_version is invalid" in refused(400, mine.generic_packages.upload, "many", "v1", "small.bin", small)

assert mine.generic_packages.download("many", "1.0.3", "small.bin") == b"small\0\r\n"
got = hashlib.sha256()
mine.generic_packages.download("big", "2.0.0", "large.tar.gz", streamed=True, action=got.update, chunk_size=1 << 20)
assert got.hexdigest() == digest.hexdigest()
refused(404, mine.generic_packages.download, "big", "2.0.0", "none")

# Lists: filters, orders, pages, totals; projects by keyset too.
pages = mine.packages.list(iterator=True, per_page=10, package_name="many", order_by="version", sort="desc")
assert (pages.total, pages.total_pages, pages.next_page) == (25, 3, 2), (pages.total, pages.total_pages)
versions = [p.version for p in pages]
assert len(versions) == 25 and versions == sorted(versions, reverse=True), versions
assert [p.version for p in mine.packages.list(get_all=False, page=2, per_page=24, package_name="many", sort="asc")] == ["1.0.24"]
assert mine.packages.list(get_all=True, package_type="npm") == []
assert her.groups.get("py").packages.list(iterator=True).total == 26
assert her.groups.get("py").packages.list(iterator=True, exclude_subgroups=True).total == 0
assert "order_by does not have a valid value" in refused(400, mine.packages.list, get_all=True, order_by="size")
for name in ("a", "b", "c"):
    admin.projects.create({"name": name, "namespace_id": group.id})
keyset = admin.projects.list(iterator=True, pagination="keyset", order_by="id", sort="asc", per_page=2)
ids = [p.id for p in keyset]
assert ids == sorted(set(ids)) and len(ids) >= 5 and project.id in ids and keyset.total is None, ids

# One package, its files, one removed.
big = mine.packages.list(package_name="big", get_all=True)[0]
assert (big.name, big.version, big.package_type, big.status) == ("big", "2.0.0", "generic", "default"), big
assert mine.packages.get(big.id)._links["web_path"].endswith(f"/-/packages/{big.id}")
files = {f.file_name: f for f in big.package_files.list(get_all=True)}
assert files["large.tar.gz"].file_sha256 == digest.hexdigest() and files["small.bin"].size == 8, files
as_owner = admin.projects.get(project.id)
as_owner.packages.get(big.id).package_files.delete(files["small.bin"].id)
refused(404, mine.generic_packages.download, "big", "2.0.0", "small.bin")
refused(403, mine.packages.delete, big.id)

# Protection: what only maintainers may push.
rules = f"/projects/{project.id}/packages/protection/rules"
rule = admin.http_post(rules, post_data={"package_name_pattern": "big*", "package_type": "generic",
                                         "minimum_access_level_for_push": "maintainer"})
assert [r["id"] for r in admin.http_get(rules)] == [rule["id"]]
refused(403, her.http_put, f"/projects/{mine.id}/packages/generic/big/2.0.1/f", post_data=b"x", raw=True)
admin.http_delete(f"{rules}/{rule['id']}")
her.http_put(f"/projects/{mine.id}/packages/generic/big/2.0.1/f", post_data=b"x", raw=True)

# Variables, with a scope.
as_owner.variables.create({"key": "VERSION", "value": "1.0.0"})
as_owner.variables.create({"key": "VERSION", "value": "0.9.0", "environment_scope": "old"})
refused(400, as_owner.variables.create, {"key": "VERSION", "value": "again"})
refused(409, as_owner.variables.get, "VERSION")
as_owner.variables.update("VERSION", {"value": "1.0.1"}, filter={"environment_scope": "*"})
assert {v.environment_scope: v.value for v in as_owner.variables.list(get_all=True)} == {"*": "1.0.1", "old": "0.9.0"}
as_owner.variables.delete("VERSION", filter={"environment_scope": "old"})
variable = as_owner.variables.get("VERSION")
variable.protected = True
variable.save()
assert as_owner.variables.get("VERSION").protected
refused(403, mine.variables.list, get_all=True)

# A release with links that download.
release = mine.releases.create({"tag_name": "v2.0.0", "name": "Two", "description": "# Two", "ref": "main", "assets": {"links": [
    {"name": "large", "url": f"{url}/api/v4/projects/{mine.id}/packages/generic/big/2.0.0/large.tar.gz", "filepath": "/large.tar.gz"}]}})
link = release.links.create({"name": "docs", "url": "https://example.com/docs"})
assert {l["name"] for l in mine.releases.get("v2.0.0").assets["links"]} == {"large", "docs"}
release.description = "mended"
release.save()
assert mine.releases.list(get_all=True)[0].description == "mended"
mine.releases.create({"tag_name": "sub/v10", "description": "", "ref": "ab" * 20})
tags = mine.tags.list(iterator=True, order_by="version", sort="desc")
assert tags.total == 2 and [t.name for t in tags] == ["sub/v10", "v2.0.0"]
assert [t.name for t in mine.tags.list(get_all=True, search="^v")] == ["v2.0.0"]
assert [t.name for t in mine.tags.list(iterator=True, pagination="keyset", per_page=1, order_by="name", sort="asc")] == ["sub/v10", "v2.0.0"]
assert mine.tags.get("sub/v10").commit["id"] == "ab" * 20 and mine.tags.get("v2.0.0").release["description"] == "mended"
assert "404 Tag Not Found" in refused(404, mine.tags.get, "v3")
as_owner.releases.delete("sub/v10")
direct = f"{url}/api/v4/projects/{mine.id}/releases/v2.0.0/downloads/large.tar.gz"
with urlopen(Request(direct, headers={"PRIVATE-TOKEN": personal.token})) as f:
    assert hashlib.sha256(f.read()).hexdigest() == digest.hexdigest()
link.delete()
assert [l.name for l in release.links.list(get_all=True)] == ["large"]

# Tokens of the project, for machines.
deploy = as_owner.deploytokens.create({"name": "fleet", "scopes": ["read_package_registry"], "username": "fleet"})
bot = as_owner.access_tokens.create({"name": "bot", "scopes": ["api"], "access_level": 30, "expires_at": None})
where = f"/projects/{project.id}/packages/generic/big/2.0.0/large.tar.gz"
fleet = gitlab.Gitlab(url, http_username=deploy.username, http_password=deploy.token)
assert fleet.http_get(where, raw=True, streamed=True).status_code == 200
refused(403, fleet.http_put, where, post_data=b"x", raw=True)
assert gitlab.Gitlab(url, private_token=bot.token).http_put(where + ".sig", post_data=b"sig", raw=True)["message"] == "201 Created"
as_owner.access_tokens.delete(bot.id)
refused(401, gitlab.Gitlab(url, private_token=bot.token).projects.get, project.id)
deploy.delete()
assert as_owner.deploytokens.list(get_all=True) == []

# A job of another project gets in where the allowlist names it.
other = admin.projects.create({"name": "other", "namespace_id": group.id})
job = admin.http_post(f"/projects/{other.id}/jobs", post_data={"name": "build"})
machine = gitlab.Gitlab(url, job_token=job["token"])
scope = f"/projects/{project.id}/job_token_scope"
assert admin.http_get(scope)["inbound_enabled"] is True
refused(404, machine.projects.get(project.id, lazy=True).packages.list, get_all=True)
admin.http_post(scope + "/allowlist", post_data={"target_project_id": other.id})
assert {p["id"] for p in admin.http_get(scope + "/allowlist")} == {project.id, other.id}
assert machine.projects.get(project.id, lazy=True).packages.list(iterator=True).total == 27
admin.http_delete(f"{scope}/allowlist/{other.id}")
refused(404, machine.projects.get(project.id, lazy=True).packages.list, get_all=True)

# The end of the day.
as_owner.releases.delete("v2.0.0")
as_owner.packages.delete(big.id)
refused(404, mine.packages.get, big.id)
group.members.delete(dev.id)
refused(404, her.projects.get, project.id)
admin.personal_access_tokens.delete(her.http_get("/personal_access_tokens/self")["id"])
refused(401, her.auth)
group.delete()
refused(404, admin.projects.get, project.id)
