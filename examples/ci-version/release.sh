#!/bin/sh
# Publish the next version of a package, and remember it once its download has
# passed the tests. README.md says how to set it up and why it is safe.
#
#   release.sh publish   read the version, build the next one, publish it
#   release.sh verify    download what was published, and test it
#   release.sh record    write the version back
#   release.sh           all three
#
# On granary publish makes a draft, which nobody installs, and record makes it final
# before it writes the version back. Other servers have no drafts: there publish is final.
#
# CI_API_V4_URL, CI_PROJECT_ID and CI_JOB_TOKEN are set by CI. VERSION_TOKEN is
# a token that may read and write the variable. publish leaves release.env for
# the other two steps.
set -eu

: "${CI_API_V4_URL:?}" "${CI_PROJECT_ID:?}"
package=${PACKAGE:-tool}
project=$CI_API_V4_URL/projects/$CI_PROJECT_ID
versions=$project/packages/generic/$package
variable=$project/variables/${VERSION_KEY:-PKG_VERSION}
file=$package.tar.gz
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# build VERSION makes $tmp/$file. Put your own build here.
build() {
	mkdir -p "$tmp/build"
	printf '#!/bin/sh\necho "%s %s"\n' "$package" "$1" >"$tmp/build/$package"
	chmod +x "$tmp/build/$package"
	[ -z "${BUILD:-}" ] || (cd "$tmp/build" && VERSION=$1 sh -c "$BUILD")
	tar -czf "$tmp/$file" -C "$tmp/build" .
}

# check VERSION tests what was downloaded and unpacked here. Put your own tests
# here, or in TEST.
check() {
	if [ -n "${TEST:-}" ]; then
		VERSION=$1 sh -c "$TEST"
	else
		[ "$("./$package")" = "$package $1" ]
	fi
}

say() { echo "$*" >&2; }

die() {
	say "$*"
	[ ! -s "$tmp/body" ] || { head -c 1000 "$tmp/body" && echo; } >&2
	exit 1
}

# call HEADER ARGUMENTS... prints the status; $tmp/head and $tmp/body have the
# rest. The header holds a token, so it does not go on curl's command line.
call() {
	secret=$1
	shift
	printf 'header = "%s"\n' "$secret" |
		curl --config - --silent --show-error --output "$tmp/body" --dump-header "$tmp/head" --write-out '%{http_code}' "$@"
}

as_owner() { call "PRIVATE-TOKEN: ${VERSION_TOKEN:?}" "$@"; }
as_job() { call "JOB-TOKEN: ${CI_JOB_TOKEN:?}" "$@"; }

# read_version sets recorded, the version in the variable, and tag, its ETag. On a server
# with drafts it sets draft to what an address in a draft ends with.
read_version() {
	status=$(as_owner "$variable")
	[ "$status" = 200 ] || die "the version cannot be read: $status"
	recorded=$(sed -n 's/.*"value":"\([^"]*\)".*/\1/p' "$tmp/body")
	tag=$(sed -n 's/^[Ee][Tt][Aa][Gg]: *//p' "$tmp/head" | tr -d '\r')
	draft=
	! grep -Eiq '^X-Granary-Features:.*[ ,]drafts' "$tmp/head" || draft='?status=draft'
	printf '%s\n' "$recorded" | grep -Eq '^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$' ||
		die "the variable holds \"$recorded\", want a version such as 1.4.0"
}

# next VERSION major|minor|patch prints the version after it.
next() {
	bump=$2
	IFS=. read -r major minor patch <<-END
		$1
	END
	case $bump in
	major) echo "$((major + 1)).0.0" ;;
	minor) echo "$major.$((minor + 1)).0" ;;
	patch) echo "$major.$minor.$((patch + 1))" ;;
	*) die "BUMP is \"$bump\", want major, minor or patch" ;;
	esac
}

# newer A B: A comes after B.
newer() {
	[ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | tail -n 1)" = "$1" ]
}

# A server without drafts hands out each version once only with this setting.
require_unique() {
	status=$(as_owner "$project")
	[ "$status" = 200 ] || die "the project cannot be read: $status"
	if grep -Eq '"generic_duplicates_allowed":(true|null)' "$tmp/body"; then
		: >"$tmp/body"
		die "two pipelines could publish the same version: set generic_duplicates_allowed=false for the project first"
	fi
}

# taken STATUS: somebody else has the version. On granary that is 412 if the draft is
# there, and 409 if the version is final or its number is reserved.
taken() {
	case $1 in
	409 | 412) [ -n "$draft" ] ;;
	400) grep -q 'Duplicate package' "$tmp/body" ;;
	*) return 1 ;;
	esac
}

publish() {
	read_version
	[ -n "$draft" ] || require_unique
	version=$(next "$recorded" "${BUMP:-patch}")
	while :; do
		build "$version"
		digest=$(sha256sum <"$tmp/$file" | cut -d ' ' -f 1)
		set -- --header "X-Checksum-SHA256: $digest"
		[ -z "$draft" ] || set -- "$@" --header 'If-None-Match: *'
		status=$(as_job "$@" --upload-file "$tmp/$file" "$versions/$version/$file$draft")
		[ "$status" != 201 ] || break
		taken "$status" || die "$version cannot be published: $status"
		say "$version is taken, by another pipeline or by one whose tests failed"
		version=$(next "$version" patch)
	done
	printf 'VERSION=%s\nDIGEST=%s\nDRAFT="%s"\n' "$version" "$digest" "$draft" >release.env
	say "$version is ${draft:+a draft, not yet }published"
}

verify() {
	. ./release.env
	status=$(as_job "$versions/$VERSION/$file$DRAFT")
	[ "$status" = 200 ] || die "$VERSION cannot be downloaded: $status"
	[ "$(sha256sum <"$tmp/body" | cut -d ' ' -f 1)" = "$DIGEST" ] || { : >"$tmp/body" && die "$VERSION is not what was published"; }
	mkdir "$tmp/installed"
	tar -xzf "$tmp/body" -C "$tmp/installed"
	: >"$tmp/body"
	(cd "$tmp/installed" && check "$VERSION") || reject
	say "$VERSION passes its tests"
}

# reject gives the number of a draft back. What other servers have published stays.
reject() {
	[ -z "$DRAFT" ] || status=$(as_job --request DELETE "$versions/$VERSION$DRAFT")
	: >"$tmp/body"
	die "$VERSION fails its tests; the variable stays as it is"
}

# finalise publishes the draft if it has this one file with these bytes. Once more for
# the same bytes it succeeds, so that the job can be run again.
finalise() {
	printf '%s  %s\n' "$DIGEST" "$file" >"$tmp/sums"
	status=$(as_job --header 'Content-Type: text/plain' --data-binary "@$tmp/sums" "$versions/$VERSION")
	case $status in
	200 | 201) say "$VERSION is final" ;;
	*) is_there || die "$VERSION cannot be made final: $status" ;;
	esac
}

# is_there: somebody else has published the draft.
is_there() {
	cp "$tmp/body" "$tmp/refusal"
	[ "$(as_job "$versions/$VERSION/$file")" = 200 ] && [ "$(sha256sum <"$tmp/body" | cut -d ' ' -f 1)" = "$DIGEST" ] ||
		{ cp "$tmp/refusal" "$tmp/body" && return 1; }
}

# record never goes back: a pipeline that was overtaken leaves the newer version.
record() {
	. ./release.env
	[ -z "$DRAFT" ] || finalise
	while read_version && newer "$VERSION" "$recorded"; do
		set --
		[ -z "$tag" ] || set -- --header "If-Match: $tag"
		status=$(as_owner --request PUT "$@" --form "value=$VERSION" "$variable")
		case $status in
		200) recorded=$VERSION && break ;;
		412) say "another pipeline wrote the version meanwhile, once more" ;;
		*) die "the version cannot be written back: $status" ;;
		esac
	done
	say "the version on record is $recorded"
}

case ${1:-all} in
publish | verify | record) "$1" ;;
all) publish && verify && record ;;
*) die "usage: release.sh [publish | verify | record]" ;;
esac
