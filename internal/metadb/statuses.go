package metadb

// The statuses of packages that are selected, as registry.Status has them. The conditions
// of indexes and triggers have the same words, since SQLite uses a partial index only for
// the same text.
const (
	installable = `('default', 'hidden', 'deprecated')`
	listed      = `('default', 'error', 'deprecated')`
	shown       = `('default', 'deprecated')`
	finalisable = `('draft', 'default', 'hidden', 'deprecated')` // what takes a file or becomes final: a draft, and what is installable

	isListed = `k.status IN ` + listed
)
