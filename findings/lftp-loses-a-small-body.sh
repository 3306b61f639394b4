#!/bin/bash
# lftp 4.9.2 (Debian 12) sends a small PUT, is asked to log in, and sends it again with
# the credentials and without the body: an empty file is published, exit 0.
# needs: Debian 12, python3
. "$(dirname "$0")/lib.sh"
debian lftp 4.9.2-2+b1
want version "$(lftp --version | head -n 1 | cut -d' ' -f1-4)" "LFTP | Version 4.9.2"
serve login
echo "a small file" >"$work/small"
want "exit code" "$(code lftp -c "set net:max-retries 2; open -u user,secret http://127.0.0.1:$port; put $work/small -o small")" 0
want "bodies" "$(awk '$1 == "PUT" {print $5}' "$log" | xargs)" "13 0"
