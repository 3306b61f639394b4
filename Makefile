# What a developer calls. `make` alone lists the targets; the text after ## is
# the help.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

FUZZTIME ?= 10s
KILLS ?= 5000
DATABASE ?= sqlite
BLOBS ?= file
BENCH ?=

# The linter is built from the version pinned in tools/go.mod, once for each
# version of it and of Go: a linter built by an older Go cannot read a newer one.
LINT_VERSION := $(shell awk '$$1 == "github.com/golangci/golangci-lint/v2" {print $$2}' tools/go.mod)
LINT := .cache/bin/golangci-lint-$(LINT_VERSION)-$(shell go env GOVERSION)

# The S3 server that the tests start, built once for each version of it, as the
# linter is. MinIO is the second make, for test-s3-second alone: it takes ten
# minutes of CPU to build, which `make test` has no room for.
version = $(shell awk '$$1 == "$(1)" {print $$2}' tools/$(2)/go.mod)
VERSITYGW := .cache/bin/versitygw-$(call version,github.com/versity/versitygw,versitygw)
MINIO := .cache/bin/minio-$(call version,github.com/minio/minio,minio)
# The ACME authority that tests ask for certificates.
PEBBLE := .cache/bin/pebble-$(call version,github.com/letsencrypt/pebble/v2,pebble)
# A release tool, which is run as its users run it.
GORELEASER := .cache/bin/goreleaser-$(call version,github.com/goreleaser/goreleaser/v2,goreleaser)

# It renders the chart, as its users have it rendered.
HELM := .cache/bin/helm-$(call version,helm.sh/helm/v4,chart)

.PHONY: help run test test-deps test-fast check lint bench bench-gate fuzz crash proof-memory proof-permission proof-addresses proof-versions proof-drafts proof-lost proof-pages proof-release release upgrade-fixture versitygw pebble goreleaser minio test-s3-second cluster

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## start a server on 127.0.0.1:8080, data in ./granary-data
	go run ./cmd/granary serve

test: check lint ## everything a submission must pass: checks, tests with -race, linter

test-deps:
	tools/install-test-deps

# The quick checks come first, the tests next: what fails most often fails soonest.
# The crash tests start a server hundreds of times, which the race detector makes
# five times as slow and no sharper: they run without it. So do the longest tests
# of memory, which it multiplies, and those of pages and of lists with many thousands of rows, which
# run one query at a time, those that write whole databases down and fill others, and those
# that call other programs again and again, and those of damage in stores and places, which do one
# step after the other.
# The pass on PostgreSQL leaves out what has run on PostgreSQL in the first: the
# longest tests, and the tests that run on both databases in either pass, which have a
# part named "sqlite" and a part named "postgres".
# Tests that are parallel wait for other programs most of the time: four of them at
# once load two cores no more than one that computes.
WITHOUT_RACE := ^Test(Crash|HostileMemory|ManySmallFilesLeaveTheBudget|CachesWeighWhatTheHeapSays|BudgetHoldsWhateverComes|FoundTokensAndPlacesWeighWhatTheHeapSays|ArchiveMemory|EveryListIsWhole|Contracts|ListPackagesAgreesWithSorting|LongListsAgreeWithSorting|NoPageSkipsManyRows|SelectorsChooseAsWorded|SelectionPlans|PostgresSelectionPlans|SearchesForNamesAreBounded|NamesOfOlderServers|NameListPlans|NamesAreWhatIsThere|MarkdownIsBounded|HostileTexts|ShownFormsWork|ManyFilesAndVersions|WhoSeesWhat|PagesAskTheSame|RoundTripOfEveryDeed|RoundTripOfAHistory|ReplayRefusesWrongSequences|ReplayOfDeltas|ReplayOfAnOlderSchema|ReplayIsLikeTheOriginal|DeriveMakesWhatTriggersKeep|CheckBesidePublishers|Rebuild|RecordsCutShort|CheckFindsEveryDamage|CheckBesideTraffic|ListsUseTheirIndexes|ManyFilesOfAVersion|ReleaseOfTooManyFiles|BentDerivedRows|ListsAskTheSameForAnyPage|ListsAgreeWithAccess|ReplayOfEveryColumn|PermissionOfDoors|PreparedTextsAreFew|ReplayThatFails|ReplayOfFormat1|EveryDamageIsFound|RecordsKilled|RecordsUnderFaults|BackupCutShort|RestoreCutShort|RebuildCutShort|BackupUnderFaults|RestoreUnderFaults|RebuildUnderFaults|CrashNote|FirstStartIsTakenUp|JournalOfABacklog|DamagedPackLosesOneFile|MendDerived|RebuildWithoutADelta|RebuildWithLosses|RestoreBesideOtherRecords|RestoreFromDamagedPlace|BackupOfCluster|CheckMends|README|RefusalsReachClients|ReleaseTools|ToolsAtAMovingLatest|DraftsExample|ToolsFetch|BackupThatCannotForget|ForgetLeavesWhatOthersNeed|BackupToFullPlace|PlaceWithoutItsMarker|ForeignPlaceIsRefused|RestoreOfDatabaseOnly|BackupOfWrongUses|BackupReplacesDamagedPack|CheckFindsEveryFlippedBit|BackupOfDamagedStore|BackupMendsAPlace|BackupKeeps|RestoreLooksAtTheKey|HeadFindsEveryFlippedBit|ForgetBesideDamage|RebuildAfterPurges|PlaceOfWhichNothingCanBeRead|KeepTheNewestWhole|ForgetOnAFullDisk|RestoreTellsOfNewerRecords|StoppedBeforeTheSchemaStands|StrangePacks|RestoreWithAWrongClock|RestoreFromOtherPacks|RecordsDamagedInUse|DamagedRecords|AdviceOfCheck|ServerReplacesRecords|RecordsAreReplacedInSteps|RestoreReplacesRecords|ManifestIsLost|KeptOfAnOlderDatabase|RecordsOfAnOlderDatabase|RecordsWithoutIdentity)$$
ON_POSTGRES_BEFORE := ^Test(ManyPublishers|ServerCrash|NodesStartTogether|PostgresTLS|Contracts)$$|/^(sqlite|postgres)$$
# SQLite is C made into Go, whose memory lies outside of what the race detector sees: to
# watch that code finds nothing and takes three quarters of the time.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false
# Two passes have their files in memory; those that kill servers and write much have them on the
# disk.
# The longest packages begin first, so that none of them runs alone at the end.
LONGEST := ./internal/metadb ./internal/api ./e2e ./internal/daemon ./internal/ui
# The client is for Windows and macOS, too: it and its tests are built for them.
CLIENT := ./internal/filelock ./internal/client ./internal/cli
check: test-deps $(VERSITYGW) $(PEBBLE)
	go mod download
	@files=$$(gofmt -l .); \
	  [[ -z $$files ]] || { echo "gofmt -w these:"; echo "$$files"; exit 1; } >&2
	go mod tidy -diff
	go vet ./...
	@for system in windows darwin; do \
	  echo "== the client on $$system"; \
	  GOOS=$$system CGO_ENABLED=0 go vet $(CLIENT) && \
	  GOOS=$$system CGO_ENABLED=0 go build -o /dev/null ./cmd/granary || exit 1; \
	  for room in $(CLIENT); do GOOS=$$system CGO_ENABLED=0 go test -c -o /dev/null $$room || exit 1; done; \
	done
	tools/in-memory go test $(RACE) -shuffle=on -parallel=4 -timeout=30m -skip '$(WITHOUT_RACE)' $(LONGEST) ./...
	go test -timeout=20m -run '$(WITHOUT_RACE)' ./internal/daemon ./e2e ./internal/blob/disk ./internal/metadb ./internal/api ./internal/archive ./internal/ui ./internal/registry
	cd tools/release && go vet ./... && go test ./...
	go test -timeout=20m -run '^TestCrash$$' ./internal/daemon -args -crash.database=postgres -crash.kills=40
	go test -timeout=20m -run '^TestCrash$$' ./internal/daemon -args -crash.database=postgres -crash.blobs=s3 -crash.kills=20
	GRANARY_TEST_DATABASE=postgres tools/in-memory go test -shuffle=on -timeout=20m -skip '$(ON_POSTGRES_BEFORE)' ./internal/api ./internal/metadb ./internal/registry ./internal/ui

# It needs nothing but Go: what starts PostgreSQL or an S3 server leaves itself out
# with -short, and dev and e2e, which start more, are not asked.
test-fast: ## the tests while you work: no race detector, SQLite and the disk alone, no crash tests (two minutes)
	go test -short -shuffle=on -parallel=4 -timeout=10m -skip '$(WITHOUT_RACE)|^TestFullDiskIsCleared$$' . ./cmd/... ./internal/...

lint: $(LINT) ## the linter alone (the first time builds it: three minutes)
	$(LINT) run ./...
	cd tools/release && ../../$(LINT) run --config ../../.golangci.yml ./...

# The flags are those of the tests, so that Go's own packages are compiled once for all.
$(LINT):
	@mkdir -p $(@D)
	cd tools && go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

versitygw: $(VERSITYGW) ## the S3 server that tests start (the first time builds it: two minutes)
$(VERSITYGW):
	@mkdir -p $(@D)
	cd tools/versitygw && go build -ldflags '-s -w' -o ../../$@ github.com/versity/versitygw/cmd/versitygw

pebble: $(PEBBLE) ## the ACME authority that tests start (the first time builds it: half a minute)
$(PEBBLE):
	@mkdir -p $(@D)
	cd tools/pebble && CGO_ENABLED=0 go build -ldflags '-s -w' -o ../../$@ github.com/letsencrypt/pebble/v2/cmd/pebble

goreleaser: $(GORELEASER) ## the release tool that tests run (the first time it is built: four minutes)
$(GORELEASER):
	@mkdir -p $(@D)
	cd tools/goreleaser && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../../$@ github.com/goreleaser/goreleaser/v2

$(HELM):
	@mkdir -p $(@D)
	cd tools/chart && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../../$@ helm.sh/helm/v4/cmd/helm

minio: $(MINIO)
$(MINIO):
	@mkdir -p $(@D)
	cd tools/minio && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../../$@ github.com/minio/minio

# MinIO's server lists no unfinished uploads, so that TestTidy is not among them.
test-s3-second: $(MINIO) ## the tests of the S3 store again, on MinIO's server (the first time builds it: six minutes)
	GRANARY_TEST_S3=minio go test -count=1 ./internal/registry ./internal/blob/s3 \
	  -run '^Test(Store|Upload.*|Read.*|ShortestWay.*|RangeOfStore|Link|Memory.*|PutNote.*|Note.*|QuarantineKeepsTheBytes|PublishUnderFaults|Sweep.*)$$'
	GRANARY_TEST_S3=minio go test -count=1 -timeout=20m ./internal/daemon \
	  -run '^Test(Rebuild|RecordsKilled|BackupBesidePublishers|BackupUnderFaults|RestoreUnderFaults|RebuildUnderFaults|MigrateStorage)$$'

cluster: $(VERSITYGW) ## three nodes behind nginx, on PostgreSQL and S3, on this machine; NODES=5
	tools/install-test-deps
	go run ./dev/cluster/try $(if $(NODES),-nodes $(NODES))

bench: $(VERSITYGW) ## granary beside nginx, its client beside curl, clusters beside one node and beside S3; SIZE=64MiB, BENCH=-quick or any of its flags (BENCH=-h)
	tools/install-test-deps restic=restic
	go run ./dev/bench $(if $(SIZE),-size $(SIZE)) $(BENCH)

# The commit is built in a tree of its own, beside this one.
bench-gate: ## the CPU of each small operation beside that of a commit: fails above +5 %; BASE=commit, BENCH="-rounds 9 -budget 3"
	@[[ -n "$(BASE)" ]] || { echo "BASE=commit names the build to compare with" >&2; exit 2; }
	@before=$$(mktemp -d) && trap 'git worktree remove --force "$$before/tree"; rm -rf "$$before"' EXIT && \
	  git worktree add --quiet --detach "$$before/tree" "$(BASE)" && \
	  (cd "$$before/tree" && go build -o "$$before/granary" ./cmd/granary) && \
	  go run ./dev/bench -gate -before "$$before/granary" -rounds 9 $(BENCH)

fuzz: ## every fuzz target for FUZZTIME (10s)
	@grep -rHoE --include='*_test.go' --exclude-dir=tools '^func Fuzz[A-Za-z0-9_]*' . | sort | \
	while IFS=: read -r file func; do \
	  echo "== $${func#func } in $${file%/*}"; \
	  go test -run='^$$' -fuzz="^$${func#func }\$$" -fuzztime=$(FUZZTIME) "$${file%/*}" </dev/null || exit 1; \
	done || { echo "a fuzz target failed, or there is none" >&2; exit 1; }

crash: $(VERSITYGW) ## kill -9 the server under load KILLS times (5000), nothing acknowledged may be lost; DATABASE=postgres BLOBS=s3
	go test ./internal/daemon -run '^TestCrash$$' -count=1 -timeout=0 -v -args \
	  -crash.kills=$(KILLS) -crash.database=$(DATABASE) -crash.blobs=$(BLOBS)

proof-memory: ## memory under hostile requests of every kind, for five minutes
	go test ./internal/daemon -run '^TestHostileMemory$$' -count=1 -timeout=0 -v -args \
	  -hostile.files=100000 -hostile.for=5m

proof-permission: ## every cell of permission, in the table and at every door
	GRANARY_TEST_PERMISSION=all go test ./internal/access ./internal/api -count=1 -v \
	  -run '^Test(Documented.*|Every.*|PermissionOfDoors|TokenBeforeParameters)$$'

# Ansible and Varnish are large, so that only this asks for them.
proof-addresses: ## refused uploads and downloads by other people's tools, through nginx, HAProxy and Varnish, 50 times each (an hour); ONLY=varnish/wget
	tools/install-test-deps
	GRANARY_TEST_ADDRESSES=all go test ./e2e -count=1 -timeout=0 -v \
	  -run '$(if $(ONLY),^TestRefusalsReachClients$$/$(ONLY),^Test(RefusalsReachClients|ToolsFetch)$$)'

proof-versions: ## downloads of a latest that moves every 50 ms, by other people's tools, 300 each (six minutes)
	tools/install-test-deps
	GRANARY_TEST_VERSIONS=all go test ./e2e -count=1 -timeout=0 -v -run '^TestToolsAtAMovingLatest$$'

# Each proof logs what it did, and the seed by which it chose: SEED=n repeats it. Disks and
# the S3 server, SQLite and PostgreSQL are parts of the tests of internal/daemon.
SEED ?= 18
proof-lost: $(VERSITYGW) ## nothing is lost: a database deleted, servers and backups killed, every step failing, every blob damaged, a thousand checks; in full, on disk and S3 and each database (an hour); SEED=n
	tools/install-test-deps
	go test ./internal/daemon -count=1 -timeout=0 -v -run '^Test(Rebuild|RebuildOfFormat1|RecordsKilled)$$' -args -lost.seed=$(SEED) -lost.deeds=1000 -lost.kills=200
	go test ./internal/daemon -count=1 -timeout=0 -v -run '^TestBackupBesidePublishers$$' -args -lost.seed=$(SEED) -lost.backups=10 -lost.publishers=16
	go test ./internal/daemon -count=1 -timeout=0 -v -run '^Test(Records|Backup|Restore|Rebuild)(CutShort|UnderFaults)$$' -args -lost.seed=$(SEED) -lost.steps=1
	go test ./internal/metadb -count=1 -timeout=0 -v -run '^Test(RoundTrip.*|Replay.*)$$'
	for database in sqlite postgres; do \
	  GRANARY_TEST_DATABASE=$$database go test ./internal/registry -count=1 -timeout=0 -v -run '^Test(EveryDamageIsFound|CheckBesideTraffic)$$' -args -damage.seed=$(SEED) -damage.blobs=1000 -check.runs=1000 || exit 1; \
	done

proof-drafts: $(GORELEASER) ## a thousand histories of drafts and versions on each database, and release tools under every setting (half an hour)
	tools/install-test-deps
	GRANARY_TEST_DRAFTS=all go test ./internal/api -count=1 -timeout=0 -v -run '^TestDraftHistories$$'
	GRANARY_TEST_DRAFTS=all GRANARY_TEST_DATABASE=postgres go test ./internal/api -count=1 -timeout=0 -v -run '^TestDraftHistories$$'
	GRANARY_TEST_DRAFTS=all go test ./e2e -count=1 -timeout=0 -v -run '^TestReleaseTools$$'

proof-pages: $(GORELEASER) ## every page in every width and theme by axe-core, with pictures in .cache/pages, and the command for GoReleaser
	tools/install-test-deps
	GRANARY_TEST_PAGES=all go test ./e2e -count=1 -timeout=0 -v -run '^TestPages'

# The module of tools/release has its own tests, the quick ones of which are part of check.
release: ## all that is published of VERSION=v1.2.3, in dist/VERSION (six systems: the first time a quarter of an hour); BASE_URL=https://..., MAINTAINER="NAME <ADDRESS>"
	cd tools/release && go run . -version "$(VERSION)" -out "../../dist/$(VERSION)" -base-url "$(BASE_URL)" $(if $(MAINTAINER),-maintainer "$(MAINTAINER)")

proof-release: $(HELM) ## the chart rendered; a release twice in two folders, and what it has in other people's programs: deb in a chroot, rpm, image, sums (half an hour; ten minutes once all systems are built)
	tools/install-test-deps lintian=lintian rpm=rpm debootstrap=debootstrap minisign=minisign skopeo=skopeo umoci=umoci ruby=ruby qemu-aarch64-static=qemu-user-static
	cd tools/release && GRANARY_TEST_RELEASE=all go test -count=1 -timeout=0 -v -run '^TestProof' ./...
	cd tools/chart && HELM=$(abspath $(HELM)) go test -count=1 -v ./...

upgrade-fixture: ## make testdata/upgrade of internal/daemon anew, with the granary OLD=path
	@[[ -n "$(OLD)" ]] || { echo "OLD=path names the granary to make it with" >&2; exit 2; }
	go test ./internal/daemon -run '^TestMakeUpgradeFixture$$' -count=1 -args -upgrade.old=$(abspath $(OLD))
