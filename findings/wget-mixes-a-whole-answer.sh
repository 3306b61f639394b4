#!/bin/bash
# wget 1.21.3 -c (Debian 12) asks for the rest of a file, is answered with 200 and all of
# it, and appends its end to what it has, exit 0. curl 7.88.1 stops.
# needs: wget 1.21.3, curl 7.88.1, python3
. "$(dirname "$0")/lib.sh"
want version "$(wget --version | head -n 1 | cut -d' ' -f1-3)" "GNU Wget 1.21.3"
want version "$(curl --version | head -n 1 | cut -d' ' -f1-2)" "curl 7.88.1"
serve whole
curl -q --noproxy '*' -s -o "$work/new" "http://127.0.0.1:$port/file"
head -c 100000 /dev/zero >"$work/old"
{ cat "$work/old"; tail -c +100001 "$work/new"; } >"$work/mixed"
cp "$work/old" "$work/file"
want "wget" "$(code wget --no-config --no-proxy -c -O "$work/file" "http://127.0.0.1:$port/file")" 0
want "half old, half new" "$(cmp -s "$work/file" "$work/mixed" && echo yes)" yes
cp "$work/old" "$work/file"
want "curl" "$(code curl -q --noproxy '*' -f -C - -o "$work/file" "http://127.0.0.1:$port/file")" 33
want "old" "$(cmp -s "$work/file" "$work/old" && echo yes)" yes
