#!/bin/bash
# axel 2.17.11 (Debian 12) asks twice for a file of a server without ranges, takes the
# length of the first answer, and cuts the second at it, exit 0.
# needs: Debian 12, python3
. "$(dirname "$0")/lib.sh"
debian axel 2.17.11-3
want version "$(axel --version | head -n 1)" "Axel 2.17.11 (linux-gnu)"
serve grows
want "exit code" "$(code axel -q -n 4 -o "$work/file" "http://127.0.0.1:$port/file")" 0
want "ranges" "$(awk '{print $3}' "$log" | xargs)" "bytes=0- -"
want "bytes of 102000" "$(wc -c <"$work/file")" 101000
