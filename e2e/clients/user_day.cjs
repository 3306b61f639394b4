// A user's day with @gitbeaker/rest. usage: NODE_PATH=.../node_modules node user_day.cjs URL TOKEN
//
// Gitbeaker publishes as multipart/form-data, which GitLab stores as it comes,
// envelope and all; call() below sends plain bodies, and what gitbeaker has no
// words for.
'use strict';
const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { Gitlab } = require('@gitbeaker/rest');

const [host, token] = process.argv.slice(2);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// call is fetch with a token and a wanted status; it returns JSON where there is some.
async function call(method, path, headers, body, want) {
  const response = await fetch(`${host}/api/v4${path}`, { method, headers, body, duplex: 'half' });
  const text = await response.text();
  assert.equal(response.status, want, `${method} ${path}: ${text}`);
  return text ? JSON.parse(text) : null;
}

// refused waits for a call that must fail with this status.
async function refused(status, promise) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.cause?.response?.status, status, e.message);
    return true;
  });
}

async function day() {
  const root = new Gitlab({ host, token });
  const json = { 'PRIVATE-TOKEN': token, 'Content-Type': 'application/json' };
  assert.equal((await root.Users.showCurrentUser()).username, 'root');
  assert.match((await root.Metadata.show()).version, /^18\./);

  // A group, a project in it, a user who develops there with a token of her own.
  const group = await root.Groups.create('Js', 'js');
  const sub = await root.Groups.create('Sub', 'sub', { parentId: group.id });
  const project = await root.Projects.create({ name: 'tool', namespaceId: sub.id, visibility: 'private' });
  assert.equal(project.path_with_namespace, 'js/sub/tool');
  const dev = await root.Users.create({ username: 'jsdev', name: 'Js', email: 'js@example.com', forceRandomPassword: true });
  await root.GroupMembers.add(group.id, 30, { userId: dev.id });
  assert.deepEqual((await root.ProjectMembers.all(project.id, { includeInherited: true })).filter((m) => m.access_level === 30).map((m) => m.username), ['jsdev']);
  assert.equal((await root.ProjectMembers.show(project.id, dev.id, { includeInherited: true })).access_level, 30);
  await refused(404, root.ProjectMembers.show(project.id, dev.id));
  const personal = await root.PersonalAccessTokens.create(dev.id, 'laptop', ['api']);
  const her = new Gitlab({ host, token: personal.token });
  assert.equal((await her.Users.showCurrentUser()).id, dev.id);
  assert.equal((await her.PersonalAccessTokens.show()).name, 'laptop');

  // She publishes with gitbeaker, and plain bytes, streamed too; and gets them back.
  const mine = (await her.Projects.show('js/sub/tool')).id;
  for (let i = 0; i < 25; i++) {
    const sent = await her.PackageRegistry.publish(mine, 'many', `1.0.${i}`, { content: new Blob(['small']), filename: 'small.bin' });
    assert.equal(sent.message, '201 Created');
  }
  const envelope = await (await her.PackageRegistry.download(mine, 'many', '1.0.3', 'small.bin')).text();
  assert.match(envelope, /^--[^]*filename="small\.bin"[^]*\r\n\r\nsmall\r\n--/, 'multipart is stored as it comes');
  const block = Buffer.alloc(1 << 20, 'granary');
  const large = Buffer.concat(Array(16).fill(block));
  const stream = new ReadableStream({
    pull(controller) {
      this.sent = (this.sent ?? 0) + 1;
      if (this.sent > 16) controller.close();
      else controller.enqueue(block);
    },
  });
  const row = await call('PUT', `/projects/${mine}/packages/generic/big/2.0.0/large.zip?select=package_file`, { 'PRIVATE-TOKEN': personal.token }, stream, 200);
  assert.deepEqual([row.size, row.file_sha256], [large.length, sha256(large)]);
  await call('PUT', `/projects/${mine}/packages/generic/big/2.0.0/small%2Ebin`, { 'PRIVATE-TOKEN': personal.token }, 'small', 201);
  await refused(400, her.PackageRegistry.publish(mine, 'many', 'v1', { content: new Blob(['x']), filename: 'f' }));
  const got = await her.PackageRegistry.download(mine, 'big', '2.0.0', 'large.zip');
  assert.equal(sha256(Buffer.from(await got.arrayBuffer())), sha256(large));
  await refused(404, her.PackageRegistry.download(mine, 'big', '2.0.0', 'none'));
  await refused(401, new Gitlab({ host, token: 'nobody' }).PackageRegistry.download(mine, 'big', '2.0.0', 'large.zip'));

  // Lists: filters, orders, pages, totals; projects by keyset too.
  const listed = await her.Packages.all({ projectId: mine, packageName: 'many', orderBy: 'version', sort: 'desc', perPage: 10 });
  const versions = listed.map((p) => p.version);
  assert.equal(versions.length, 25);
  assert.deepEqual(versions, [...versions].sort().reverse());
  const last = await her.Packages.all({ projectId: mine, packageName: 'many', page: 2, perPage: 24, showExpanded: true });
  assert.deepEqual([last.data.length, last.paginationInfo.total, last.paginationInfo.totalPages, last.paginationInfo.next], [1, 25, 2, null]);
  assert.deepEqual(await her.Packages.all({ projectId: mine, packageType: 'npm' }), []);
  assert.equal((await her.Packages.all({ groupId: group.id, perPage: 20 })).length, 26);
  assert.equal((await her.Packages.all({ groupId: group.id, excludeSubgroups: true })).length, 0);
  for (const name of ['a', 'b', 'c']) await root.Projects.create({ name, namespaceId: group.id });
  const keyset = (await root.Projects.all({ pagination: 'keyset', orderBy: 'id', sort: 'asc', perPage: 2 })).map((p) => p.id);
  assert.ok(keyset.length >= 5 && keyset.includes(project.id));
  assert.deepEqual(keyset, [...new Set(keyset)].sort((a, b) => a - b));

  // One package, its files, one removed.
  const [big] = await her.Packages.all({ projectId: mine, packageName: 'big' });
  assert.deepEqual([big.name, big.version, big.package_type, big.status], ['big', '2.0.0', 'generic', 'default']);
  assert.equal((await her.Packages.show(mine, big.id)).id, big.id);
  const files = Object.fromEntries((await her.Packages.allFiles(mine, big.id)).map((f) => [f.file_name, f]));
  assert.deepEqual([files['large.zip'].file_sha256, files['small.bin'].size], [sha256(large), 5]);
  await root.Packages.removeFile(mine, big.id, files['small.bin'].id);
  await refused(404, her.PackageRegistry.download(mine, 'big', '2.0.0', 'small.bin'));
  await refused(403, her.Packages.remove(mine, big.id));

  // Protection: what only maintainers may push.
  const rules = `/projects/${mine}/packages/protection/rules`;
  const rule = await call('POST', rules, json, JSON.stringify({ package_name_pattern: 'big*', package_type: 'generic', minimum_access_level_for_push: 'maintainer' }), 201);
  assert.deepEqual((await call('GET', rules, json, undefined, 200)).map((r) => r.id), [rule.id]);
  await refused(403, her.PackageRegistry.publish(mine, 'big', '2.0.1', { content: new Blob(['x']), filename: 'f' }));
  await call('DELETE', `${rules}/${rule.id}`, json, undefined, 204);

  // Variables of a project and of a group, with a scope.
  await root.ProjectVariables.create(mine, 'VERSION', '1.0.0');
  await root.ProjectVariables.create(mine, 'VERSION', '0.9.0', { environmentScope: 'old' });
  await refused(400, root.ProjectVariables.create(mine, 'VERSION', 'again'));
  await refused(409, root.ProjectVariables.show(mine, 'VERSION'));
  await root.ProjectVariables.edit(mine, 'VERSION', '1.0.1', { filter: { environment_scope: '*' } });
  assert.equal((await root.ProjectVariables.show(mine, 'VERSION', { filter: { environment_scope: '*' } })).value, '1.0.1');
  await root.ProjectVariables.remove(mine, 'VERSION', { filter: { environment_scope: 'old' } });
  assert.deepEqual((await root.ProjectVariables.all(mine)).map((v) => v.value), ['1.0.1']);
  await root.GroupVariables.create(group.id, 'CHANNEL', 'stable', { protected: true });
  assert.equal((await root.GroupVariables.show(group.id, 'CHANNEL')).protected, true);
  await refused(403, her.ProjectVariables.all(mine));

  // A release with links that download.
  const url = `${host}/api/v4/projects/${mine}/packages/generic/big/2.0.0/large.zip`;
  await her.ProjectReleases.create(mine, { tagName: 'v2.0.0', name: 'Two', description: '# Two', ref: 'main', assets: { links: [{ name: 'large', url, direct_asset_path: '/large.zip' }] } });
  const link = await her.ReleaseLinks.create(mine, 'v2.0.0', 'docs', 'https://example.com/docs', { linkType: 'other' });
  assert.deepEqual((await her.ReleaseLinks.all(mine, 'v2.0.0')).map((l) => l.name).sort(), ['docs', 'large']);
  await her.ProjectReleases.edit(mine, 'v2.0.0', { description: 'mended' });
  assert.equal((await her.ProjectReleases.show(mine, 'v2.0.0')).description, 'mended');
  assert.equal((await her.ProjectReleases.showLatest(mine)).tag_name, 'v2.0.0');
  assert.deepEqual((await her.Tags.all(mine, { search: '^v', orderBy: 'version' })).map((t) => t.name), ['v2.0.0']);
  assert.equal((await her.Tags.show(mine, 'v2.0.0')).release.description, 'mended');
  const asset = await her.ProjectReleases.download(mine, 'v2.0.0', 'large.zip');
  assert.equal(sha256(Buffer.from(await asset.arrayBuffer())), sha256(large));
  await her.ReleaseLinks.remove(mine, 'v2.0.0', link.id);
  assert.equal((await her.ReleaseLinks.all(mine, 'v2.0.0')).length, 1);

  // Tokens for machines: of the project, rotated; a deploy token.
  const tomorrow = new Date(Date.now() + 864e5).toISOString().slice(0, 10);
  const bot = await root.ProjectAccessTokens.create(mine, 'bot', ['api'], tomorrow, { accessLevel: 30 });
  const rotated = await root.ProjectAccessTokens.rotate(mine, bot.id);
  await refused(401, new Gitlab({ host, token: bot.token }).Projects.show(mine));
  assert.equal((await new Gitlab({ host, token: rotated.token }).Projects.show(mine)).id, mine);
  await root.ProjectAccessTokens.revoke(mine, rotated.id);
  const deploy = await root.DeployTokens.create('fleet', ['read_package_registry'], { projectId: mine });
  const basic = { Authorization: `Basic ${Buffer.from(`${deploy.username}:${deploy.token}`).toString('base64')}` };
  assert.equal((await fetch(url, { headers: basic })).status, 200);
  await call('PUT', `/projects/${mine}/packages/generic/big/2.0.0/f`, basic, 'x', 403);
  await root.DeployTokens.remove(deploy.id, { projectId: mine });
  assert.deepEqual(await root.DeployTokens.all({ projectId: mine }), []);

  // A job of another project gets in where the allowlist names it.
  const other = await root.Projects.create({ name: 'other', namespaceId: group.id });
  const job = await call('POST', `/projects/${other.id}/jobs`, json, '{"name":"build"}', 201);
  const machine = new Gitlab({ host, jobToken: job.token });
  assert.equal((await root.ProjectJobTokenScopes.show(mine)).inbound_enabled, true);
  await refused(404, machine.Packages.all({ projectId: mine }));
  await root.ProjectJobTokenScopes.addToInboundAllowList(mine, other.id);
  assert.deepEqual((await root.ProjectJobTokenScopes.showInboundAllowList(mine)).map((p) => p.id).sort((a, b) => a - b), [mine, other.id].sort((a, b) => a - b));
  assert.equal((await machine.Packages.all({ projectId: mine })).length, 26);
  await root.ProjectJobTokenScopes.removeFromInboundAllowList(mine, other.id);
  await refused(404, machine.Packages.all({ projectId: mine }));
  await root.ProjectJobTokenScopes.edit(mine, false);
  assert.equal((await root.ProjectJobTokenScopes.show(mine)).inbound_enabled, false);

  // The end of the day.
  await root.ProjectReleases.remove(mine, 'v2.0.0');
  await root.Packages.remove(mine, big.id);
  await refused(404, her.Packages.show(mine, big.id));
  await root.GroupMembers.remove(group.id, dev.id);
  await refused(404, her.Projects.show(mine));
  await her.PersonalAccessTokens.remove();
  await refused(401, her.Users.showCurrentUser());
  await root.Groups.remove(group.id);
  await refused(404, root.Projects.show(mine));
}

day().catch((e) => {
  console.error(e);
  process.exit(1);
});
