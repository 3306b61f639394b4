#!/bin/bash
# wget2 1.99.1 (Debian 12) sends Host without the port. needs: Debian 12, python3
. "$(dirname "$0")/lib.sh"
debian wget2 1.99.1-2.2 libwget0 libgpgme11 libassuan0
want version "$(wget2 --version | head -n 1 | cut -d' ' -f1-3)" "GNU Wget2 1.99.1"
serve once
code wget2 --tries=1 -O "$work/file" "http://127.0.0.1:$port/file" >/dev/null
want "Host" "$(awk '{print $4; exit}' "$log")" 127.0.0.1
