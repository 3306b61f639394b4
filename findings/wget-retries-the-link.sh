#!/bin/bash
# wget 1.21.3 (Debian 12) tries again at the link that it was redirected to, and not at
# the address it was given: a link that holds for a short time is dead by then.
# needs: wget 1.21.3, python3
. "$(dirname "$0")/lib.sh"
want version "$(wget --version | head -n 1 | cut -d' ' -f1-3)" "GNU Wget 1.21.3"
serve redirect
code wget --no-config --no-proxy --tries=3 --waitretry=1 -O "$work/file" "http://127.0.0.1:$port/file" >/dev/null
want "requests" "$(awk '{print $2}' "$log" | xargs)" "/file /link/1 /link/1"
# What docs/clients.md says to write instead.
rm "$work/file"
: >"$log"
for _ in 1 2 3 4 5; do
  wget --no-config --no-proxy -q -c --tries=1 -O "$work/file" "http://127.0.0.1:$port/file" && break
done
want "requests of a loop" "$(awk '{print $2}' "$log" | xargs)" "/file /link/4 /file /link/6"
want "bytes of 200000" "$(wc -c <"$work/file")" 200000
