package metadb

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// A publication writes the parts below, in this order, so that locks are taken in one
// order: package, blob, file. In a transaction each part is a statement of its own
// (publishInSteps). On PostgreSQL all of them are one statement, if nothing else is to
// be done (publishAtOnce).

// part writes one row. Its text has :word for a value, and p.id, b.id or f.id for the id
// of an earlier part. What is between braces is only for one statement of all parts,
// where an earlier part is a table.
type part struct {
	name  string
	text  string
	needs func(registry.Publication) bool // nil: every publication has it
}

// parts are the parts of a publication. small: the bytes are kept in the database;
// else PinBlob was called before they were stored, and the blob's row must still
// exist.
func parts(small bool) []part {
	all := []part{{name: "p", text: packagePart + packageUpserted}}
	if small {
		all = append(all, part{name: "b", text: smallBlobPart}, part{name: "c", text: contentPart})
	} else {
		all = append(all, part{name: "b", text: storedBlobPart})
	}
	return append(all,
		part{name: "f", text: filePart},
		part{name: "l", text: packagePipelinePart, needs: hasPipeline},
		part{name: "fl", text: filePipelinePart, needs: hasPipeline},
	)
}

func hasPipeline(p registry.Publication) bool { return p.PipelineID != 0 }

// The texts of the parts. Two publishers of one new version conflict on the unique
// index of packages and share the row. The first part writes nothing if the version does
// not take the publication: PostgreSQL evaluates its WHERE again after it waited for the
// row. Right bytes replace damaged ones. Bytes in the store that are marked as damaged may
// have been stored before the wrong ones were set aside, and with them: the sender tries
// again.
const (
	packagePart = `INSERT INTO packages AS k (name, version, version_key, prerelease, status, draft_status, draft_job_id, creator_id,
			created_at, updated_at, files, bytes, counted, project_id)
		SELECT :name, :version, :key, :pre, :status, :wish, :job, :creator, :now, :now, 1, :size, 1, o.id
		FROM projects o WHERE o.id = :project AND o.deleted_at IS NULL`
	packageUpserted = ` ON CONFLICT (project_id, name, version) WHERE status <> 'pending_destruction'
		DO UPDATE SET updated_at = excluded.updated_at, files = k.files + 1, bytes = k.bytes + excluded.bytes, status = CASE WHEN :restatus = 1 AND k.status <> 'draft' THEN :anew ELSE k.status END,
			draft_status = COALESCE(excluded.draft_status, k.draft_status),
			draft_job_id = COALESCE(excluded.draft_job_id, k.draft_job_id),
			draft_shared = CASE WHEN k.draft_shared = 1 OR k.draft_job_id IS DISTINCT FROM excluded.draft_job_id THEN 1 END
		WHERE k.final_at IS NULL AND (:into = 2 OR (k.status = 'draft') = (:into = 1))
		RETURNING id, created_at = :now AS is_new, status, ` + hasHook + ` AS hooked`
	hasHook = `EXISTS (SELECT 1 FROM hooks h WHERE h.project_id = :project AND h.package_events = 1)`

	smallBlobPart = `INSERT INTO blobs (digest, size, files, touched_at, crc32) SELECT :digest, :size, 1, :now, :crc {FROM p} WHERE TRUE
		ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at, files = blobs.files + 1,
			crc32 = COALESCE(excluded.crc32, blobs.crc32) RETURNING id`
	contentPart = `INSERT INTO blob_contents (blob_id, content) SELECT b.id, :content {FROM b} WHERE TRUE
		ON CONFLICT (blob_id) DO UPDATE SET content = excluded.content WHERE blob_contents.content <> excluded.content`
	storedBlobPart = `UPDATE blobs SET files = files + 1, crc32 = COALESCE(:crc, crc32) WHERE digest = :digest AND size = :size
			AND NOT EXISTS (SELECT 1 FROM damage WHERE damage.digest = blobs.digest) {AND EXISTS (SELECT 1 FROM p)} RETURNING id`

	filePart = `INSERT INTO package_files (file_name, package_id, blob_id, status, created_at)
		SELECT :file, p.id, b.id, 'default', :now {FROM p LEFT JOIN b ON TRUE} RETURNING id`
	packagePipelinePart = `INSERT INTO package_pipelines (pipeline_id, package_id)
		SELECT CAST(:pipeline AS BIGINT), p.id {FROM p} WHERE :pipeline <> 0 ON CONFLICT (package_id, pipeline_id) DO NOTHING`
	filePipelinePart = `INSERT INTO package_file_pipelines (pipeline_id, package_file_id)
		SELECT CAST(:pipeline AS BIGINT), f.id {FROM f} WHERE :pipeline <> 0 ON CONFLICT (package_file_id, pipeline_id) DO NOTHING`
)

// numbered is a text with $1, $2, ... in place of words.
type numbered struct {
	text  string
	words []int // the index of each number's value
}

// Indexes of some words.
const (
	packageWord = iota // ids that earlier parts returned
	blobWord
	fileWord

	momentWord = 22 // the first value of the event
)

// words are the names of the values of a publication.
func words() []string {
	fixed := []string{"p", "b", "f", "name", "version", "status", "creator", "now", "project", "restatus", "digest", "size", "content", "file", "pipeline", "key", "pre", "crc",
		"into", "job", "wish", "anew"}
	for i := range strings.Count(eventColumns, ",") { // without the target's id, which is the file's
		fixed = append(fixed, fmt.Sprintf("event%d", i))
	}
	return fixed
}

// values are the values of a publication, without the ids, which are not known yet.
func values(p registry.Publication, event []any) []any {
	status, restatus := registry.StatusDefault, 0
	if p.Status != nil {
		status, restatus = *p.Status, 1
	}
	anew, wish, job := status, any(nil), any(nil)
	if p.Into != registry.IntoOpen {
		status, wish, job = registry.StatusDraft, sqldb.Optional(p.Status), sqldb.NullID(p.JobID)
	}
	version := string(p.Coordinates.Version)
	key, pre := versions.KeyAndKind(version)
	all := make([]any, 0, momentWord+len(event))
	all = append(all, nil, nil, nil, string(p.Coordinates.Name), version, string(status), sqldb.NullID(p.CreatorID), sqldb.Micros(p.Now),
		p.ProjectID, restatus, p.Digest[:], p.Size, p.Small, string(p.Coordinates.File), p.PipelineID,
		key, sqldb.Bool(pre), sqldb.Optional(p.CRC32), int(p.Into), job, wish, string(anew))
	return append(all, event...)
}

// args are the values that a text uses.
func (n numbered) args(values []any) []any {
	args := make([]any, len(n.words))
	for i, word := range n.words {
		args[i] = values[word]
	}
	return args
}

// at is the index of a word's value among the args.
func (n numbered) at(word int) int { return slices.Index(n.words, word) }

// number puts $1, $2, ... in place of words.
func number(text string) numbered {
	var n numbered
	all := words()
	n.text = regexp.MustCompile(`:[a-z]+[0-9]*`).ReplaceAllStringFunc(text, func(match string) string {
		word := slices.Index(all, match[1:])
		at := slices.Index(n.words, word)
		if at < 0 {
			at, n.words = len(n.words), append(n.words, word)
		}
		return fmt.Sprintf("$%d", at+1)
	})
	return n
}

// step is a part as a statement of its own: the ids of earlier parts are values.
type step struct {
	part
	numbered
}

func steps(small bool) (all []step) {
	for _, p := range parts(small) {
		text := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(p.text, "")
		text = regexp.MustCompile(`\b([pbf])\.id\b`).ReplaceAllString(text, ":$1")
		all = append(all, step{p, number(text)})
	}
	return all
}

// together is all parts and the event as one statement of PostgreSQL. It writes
// nothing and returns no row if the project is deleted or has a hook for packages, or if
// the version does not take the publication. The id of a blob that is gone is NULL, which package_files refuses.
func together(small bool) numbered {
	var texts []string
	for _, p := range parts(small) {
		text := p.text
		if p.name == "p" {
			text = packagePart + ` AND NOT ` + hasHook + packageUpserted
		}
		texts = append(texts, p.name+` AS (`+text+`)`)
	}
	joined := strings.NewReplacer("{", "", "}", "").Replace(strings.Join(texts, ", "))
	return number(`WITH ` + joined + `, e AS (` + eventPart() + `) SELECT p.id, p.is_new, p.status, f.id FROM p, f`)
}

// eventPart is insertEvent for a file that the same statement inserts.
func eventPart() string {
	all := words()[momentWord:]
	return `INSERT INTO audit_events (` + eventColumns + `) SELECT :` + strings.Join(all, ", :") + `, f.id FROM f`
}

// publicationPlan is the texts of a publication.
type publicationPlan struct {
	steps    []step
	together numbered
}

func newPublicationPlan(small bool) *publicationPlan {
	return &publicationPlan{steps(small), together(small)}
}

// published is the event of the file.
func published(p registry.Publication, fileID int64) audit.Event {
	return p.Event.To("PackageFile", fileID, title(p)+"/"+string(p.Coordinates.File))
}
