# What the scripts here have in common. To be sourced.
set -euo pipefail

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# serve MODE: starts server.py, or $program, in this mode; sets port, and log, a file with a line for
# each request.
serve() {
  log=$work/requests
  : >"$log"
  python3 "$here/${program:-server.py}" "$1" "$work/port" "$log" &
  for _ in $(seq 100); do [[ -s $work/port ]] && break; sleep 0.05; done
  port=$(cat "$work/port")
}

# debian PACKAGE VERSION: unpacks this version of a Debian 12 package, with what it
# needs beside those that are here, below $work/root.
debian() {
  mkdir -p "$work/root" "$work/deb"
  (cd "$work/deb" && apt-get download -q "$1=$2" "${@:3}" >"$work/output" 2>&1) || cat "$work/output" >&2
  for deb in "$work"/deb/*.deb; do dpkg -x "$deb" "$work/root"; done
  export PATH="$work/root/usr/bin:$PATH" LD_LIBRARY_PATH="$work/root/usr/lib:$work/root/usr/lib/x86_64-linux-gnu"
}

# want NAME ACTUAL EXPECTED
want() {
  echo "$1: $2"
  [[ $2 == "$3" ]] || { echo "CHANGED: $1 is $2, and was $3" >&2; exit 1; }
}

# code COMMAND...: prints its exit code; what it says goes to $work/output.
code() {
  local rc=0
  timeout 60 "$@" >"$work/output" 2>&1 </dev/null || rc=$?
  echo "$rc"
}
