#!/bin/bash
# wget2 1.99.1 (Debian 12) ends with 0 when the body was cut short, and when the server
# answered 403, 410, 500 or 503. needs: Debian 12, python3
. "$(dirname "$0")/lib.sh"
debian wget2 1.99.1-2.2 libwget0 libgpgme11 libassuan0
want version "$(wget2 --version | head -n 1 | cut -d' ' -f1-3)" "GNU Wget2 1.99.1"
serve torn
want "exit code of a torn body" "$(code wget2 --tries=1 -O "$work/file" "http://127.0.0.1:$port/file")" 0
want "bytes of 200000" "$(wc -c <"$work/file")" 100000
kill %1; rm "$work/port"
serve status
for status in 403 410 500 503; do
  want "exit code of $status" "$(code wget2 --tries=1 -O "$work/file" "http://127.0.0.1:$port/$status")" 0
done
want "exit code of 404" "$(code wget2 --tries=1 -O "$work/file" "http://127.0.0.1:$port/404")" 8
