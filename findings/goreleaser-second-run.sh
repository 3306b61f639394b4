#!/bin/bash
# GoReleaser 2.16.0 fails at the links of a release that it makes for the second time,
# with replace_existing_artifacts too, and asks for no link to delete.
# needs: go, git, python3; the first run builds GoReleaser: minutes, and 3 GB of cache
. "$(dirname "$0")/lib.sh"
GOBIN=$work go install github.com/goreleaser/goreleaser/v2@v2.16.0 >"$work/output" 2>&1 || { cat "$work/output" >&2; exit 1; }
want version "$("$work/goreleaser" --version | grep -o 'GitVersion: .*' | tr -s ' ')" "GitVersion: v2.16.0"
program=releases.py serve -
mkdir "$work/tool"
cd "$work/tool"
cat >.goreleaser.yaml <<YAML
version: 2
project_name: tool
builds: [{skip: true}]
retry: {attempts: 2, delay: 100ms}
gitlab_urls:
  api: http://127.0.0.1:$port/api/v4
  use_package_registry: true
release:
  gitlab: {owner: acme, name: tool}
  extra_files: [{glob: tool.txt}]
  replace_existing_artifacts: true
YAML
echo dist >.gitignore
echo tool >tool.txt
git init -q -b main .
git remote add origin "http://127.0.0.1:$port/acme/tool.git"
git add -A
git -c user.name=Example -c user.email=example@example.com commit -qm "feat: a tool"
git tag v1.4.0
export GITLAB_TOKEN=anything NO_PROXY='*'
want "exit code of the first run" "$(code "$work/goreleaser" release --clean)" 0
: >"$log"
want "exit code of the second" "$(code "$work/goreleaser" release --clean)" 1
want "says" "$(grep -o 'name: \[has already been taken\]' "$work/output" | head -n 1)" "name: [has already been taken]"
want "links asked for or deleted" "$(grep -cE '^(GET|DELETE).*links' "$log" || true)" 0
