package api

import "strings"

// contentType is what a file is served as: by its extension where the type is
// on GitLab's short list, else application/octet-stream, so that nothing that
// somebody uploaded runs in a browser (contract generic-packages 3.3).
func contentType(name string) string {
	switch extension(name) {
	case "gz", "tgz":
		return "application/gzip"
	case "zip":
		return "application/zip"
	case "7z":
		return "application/x-7z-compressed"
	case "xz", "txz":
		return "application/x-xz"
	case "deb", "udeb":
		return "application/x-debian-package"
	case "jar", "war", "ear":
		return "application/java-archive"
	case "apk":
		return "application/vnd.android.package-archive"
	case "dmg":
		return "application/x-apple-diskimage"
	case "tar":
		return "application/x-tar"
	case "gtar":
		return "application/x-gtar"
	case "bz2", "tbz", "tbz2":
		return "application/x-bzip2"
	case "iso":
		return "application/x-iso9660-image"
	}
	return "application/octet-stream"
}

// extension is what follows the last dot; a name that is nothing else has none.
func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return ""
	}
	return strings.ToLower(name[i+1:])
}
