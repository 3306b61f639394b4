#!/bin/bash
# busybox 1.35.0 (Debian 12), tar: takes a file of 8 GiB in the PAX
# format for an empty one, stops there, and ends with 0: the files after it are missing.
# In GNU's format it finds them. needs: Debian 12, python3
. "$(dirname "$0")/lib.sh"
debian busybox "1:1.35.0-4+deb12u1+b1"
mv "$work"/root/bin/busybox "$work"
cat >"$work/make.py" <<'PY'
import sys, tarfile

kind = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}[sys.argv[1]]
with open(sys.argv[1] + ".tar", "wb") as archive:
    for name, size in ("before", 512), ("large", 8 << 30), ("after", 512):
        entry = tarfile.TarInfo(name)
        entry.size = size
        archive.write(entry.tobuf(kind))
        archive.seek(size, 1)  # a hole, read as zeros
    archive.write(bytes(1024))
PY
cd "$work"
python3 make.py pax
python3 make.py gnu
want "GNU, exit code" "$(code ./busybox tar -tf gnu.tar)" 0
want "GNU, files" "$(xargs <output)" "before large after"
want "Python, of PAX" "$(python3 -c 'import tarfile; print(*tarfile.open("pax.tar").getnames())')" "before large after"
rc=0
./busybox tar -xvf pax.tar >output 2>&1 || rc=$? # it reads on to the end, which takes a while
want "PAX, exit code" "$rc" 0
want "PAX, files" "$(xargs <output)" "before large"
want "PAX, sizes" "$(stat -c %s before large | xargs)" "512 0"
