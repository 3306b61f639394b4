package records

import "context"

// Changes is a database that can tell what has changed since an audit event.
type Changes interface {
	// Delta calls w.Begin, and writes the present rows of what audit events name, of one
	// snapshot. It writes nothing if there is no new event, if Waits, and if Anew.
	Delta(ctx context.Context, w *Writer, since Since) (Changed, error)
}

// Since says which changes a delta has to have.
type Since struct {
	To   int64   // of the file before
	Ends int64   // the delta ends at this event at least: after the newest base
	Base int64   // the last event in the newest base
	Look int64   // events with ids above this one are new, unless they were seen
	Seen []int64 // ids above Look of events that are in earlier files, in order
	Last int64   // the last event in earlier files: the delta has it too, if its own are all before it

	// Small are the checksums of the small tables in the last delta that looked at them; nil if
	// a base came after that. A table that has still the same one is not written.
	Small map[string]Checksum
	// NoSmall says that a delta with small tables waits, unless there are More events.
	NoSmall bool
}

// Late is by how much, in microseconds, the id of an event may be below the time at which it
// is committed, to be seen at once. See watermark for those that are later.
const Late = 60_000_000

// Changed is what a delta has.
type Changed struct {
	Events []int64             // ids of all events above Look, in order, as far as they are covered
	New    int                 // how many of them are new
	More   bool                // there are more new events than fit into a delta
	Waits  bool                // small tables have changed, and nothing was written for NoSmall
	Anew   bool                // the database was made again since: a base has to be written
	Small  map[string]Checksum // of all small tables, if an event names something in one; else nil
	Blobs  []int64             // ids of the blobs of files and uploads that the new events name, in order
}
