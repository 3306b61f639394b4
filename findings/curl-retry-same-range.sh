#!/bin/bash
# curl 7.88.1 (Debian 12) with -C - --retry asks for the same range at every attempt,
# though each brought more. needs: curl 7.88.1, python3
. "$(dirname "$0")/lib.sh"
want version "$(curl --version | head -n 1 | cut -d' ' -f1-2)" "curl 7.88.1"
serve resume
head -c 10 /dev/zero >"$work/file"
code curl -q --noproxy '*' -f -C - --retry 2 --retry-all-errors --retry-delay 1 -o "$work/file" "http://127.0.0.1:$port/file" >/dev/null
want "ranges" "$(awk '{print $3}' "$log" | xargs)" "bytes=10- bytes=10- bytes=10-"
# What docs/clients.md says to write instead.
head -c 10 <(curl -q --noproxy '*' -s "http://127.0.0.1:$port/file") >"$work/file"
: >"$log"
for _ in 1 2 3 4 5; do
  status=$(curl -q --noproxy '*' -s -f -C - -w '%{http_code}' -o "$work/file" "http://127.0.0.1:$port/file") && break
  [[ $status == 416 ]] && break
done
want "ranges of a loop" "$(awk '{print $3}' "$log" | xargs)" "bytes=10- bytes=50010- bytes=100010- bytes=150010-"
want "bytes of 200000" "$(wc -c <"$work/file")" 200000
want "of a whole file" "$(code curl -q --noproxy '*' -f -C - -o "$work/file" "http://127.0.0.1:$port/file")" 22
