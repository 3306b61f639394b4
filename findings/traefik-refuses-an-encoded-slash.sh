#!/bin/bash
# Traefik 3.6.6 answers 400 to a path with %2F, which GitLab's API has in every
# project's path, unless its entry point allows it.
# needs: go, curl, python3; the first run builds Traefik: seven minutes, and 5 GB of cache
. "$(dirname "$0")/lib.sh"
source=$(cd "$work" && go mod download -json github.com/traefik/traefik/v3@v3.6.6 | grep '"Dir"' | cut -d'"' -f4)
# Where its source lies, for `go install` refuses modules that replace others.
(cd "$source" && go build -o "$work/proxy" ./cmd/traefik)
serve once
cat >"$work/routes.yaml" <<YAML
http:
  routers: {all: {rule: "PathPrefix(\`/\`)", service: files, entryPoints: [web]}}
  services: {files: {loadBalancer: {servers: [{url: "http://127.0.0.1:$port"}]}}}
YAML
# ask [FLAG...]: starts the proxy on a free port, asks for a path, prints the status.
ask() {
  local web
  web=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$work/proxy" --global.checknewversion=false --global.sendanonymoususage=false --log.level=ERROR \
    "--entrypoints.web.address=127.0.0.1:$web" "--providers.file.filename=$work/routes.yaml" "$@" >"$work/output" 2>&1 &
  local proxy=$!
  for _ in $(seq 200); do
    [[ $(curl -q --noproxy '*' -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$web/plain") == 200 ]] && break
    sleep 0.05
  done
  curl -q --noproxy '*' -s -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$web/projects/acme%2Ftools"
  kill "$proxy"
  wait "$proxy" || true
}
curl -q --noproxy '*' -s -o /dev/null "http://127.0.0.1:$port/first" || true # it breaks the first
want "%2F" "$(ask)" 400
# What docs/clients.md says to write instead.
want "%2F, allowed" "$(ask --entrypoints.web.http.encodedcharacters.allowencodedslash=true)" 200
want "what arrived" "$(tail -n 1 "$log" | cut -d' ' -f2)" /projects/acme%2Ftools
