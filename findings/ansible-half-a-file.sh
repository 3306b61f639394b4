#!/bin/bash
# get_url of Ansible 2.14 (Debian 12) reports "changed" for a body that was cut short,
# unless it is given a checksum. needs: ansible-core 2.14, python3
. "$(dirname "$0")/lib.sh"
export ANSIBLE_LOCAL_TEMP=$work/local ANSIBLE_REMOTE_TEMP=$work/remote ANSIBLE_NOCOLOR=1
version=$(ansible --version)
want version "$(head -n 1 <<<"$version" | grep -o '2\.14')" 2.14
serve torn
get() { code ansible localhost -c local -m get_url -a "url=http://127.0.0.1:$port/file dest=$work/file use_proxy=no $1"; }
want "exit code" "$(get force=yes)" 0
want "says" "$(grep -o 'localhost | [A-Z]*' "$work/output")" "localhost | CHANGED"
want "bytes of 200000" "$(wc -c <"$work/file")" 100000
rm "$work/file"
want "exit code with a checksum" "$(get "checksum=sha256:$(head -c 10 /dev/zero | sha256sum | cut -d' ' -f1)")" 2
want "the file then" "$(ls "$work/file" 2>/dev/null || echo none)" none
