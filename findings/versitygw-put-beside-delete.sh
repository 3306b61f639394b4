#!/bin/bash
# versitygw 1.8.0 (its store of files) answers 409 ExistingObjectIsDirectory to a PUT of a key, while
# another client deletes the last other key of the same folder. No key is a folder; the same PUT
# again is 200. Keys in deep folders meet it soonest: here about one PUT in twenty.
# needs: go, curl, python3; the first run builds versitygw: some minutes, and 2 GB of cache
. "$(dirname "$0")/lib.sh"
GOBIN=$work CGO_ENABLED=0 go install -trimpath github.com/versity/versitygw/cmd/versitygw@v1.8.0 2>"$work/output" || { cat "$work/output" >&2; exit 1; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$work/data/bucket"
ROOT_ACCESS_KEY=user ROOT_SECRET_KEY=secretsecret "$work/versitygw" --port "127.0.0.1:$port" posix "$work/data" >"$work/output" 2>&1 &
server=$!
for _ in $(seq 200); do curl -q --noproxy '*' -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.05; done
echo "a small object" >"$work/body"
# request KEY OPTION: a request as a part of curl's config.
request() {
  printf '%s\n' "url = \"http://127.0.0.1:$port/bucket/$1\"" "$2" 'user = "user:secretsecret"' 'aws-sigv4 = "aws:amz:us-east-1:s3"' \
    'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"' 'write-out = "\n%{method} %{http_code}\n"' silent next
}
# client KEY: puts a key and deletes it, a hundred times.
client() {
  for _ in $(seq 100); do
    request "$1" "upload-file = \"$work/body\""
    request "$1" 'request = "DELETE"'
  done | sed '$d' | curl -q --noproxy '*' -K - >"$work/said.${1##*/}"
}
seen=no
for _ in $(seq 50); do
  client a/b/c/d/e/f/g/one & one=$!
  client a/b/c/d/e/f/g/two & two=$!
  wait $one $two
  if grep -q '^PUT 409' "$work"/said.*; then seen=yes; break; fi
done
want "a PUT answered 409" "$seen" yes
want "its code" "$(grep -ho '<Code>.*</Code>' "$work"/said.* | sort -u)" "<Code>ExistingObjectIsDirectory</Code>"
want "all answers" "$(grep -hoE '^(PUT|DELETE) [0-9]+' "$work"/said.* | sort -u | xargs)" "DELETE 204 PUT 200 PUT 409"
want "the same alone" "$(request a/b/c/d/e/f/g/one "upload-file = \"$work/body\"" | sed '$d' | curl -q --noproxy '*' -K - | xargs)" "PUT 200"
kill $server
