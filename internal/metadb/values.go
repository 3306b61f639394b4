package metadb

import (
	"database/sql"
	"strings"
	"time"
)

// micros is a time as it is kept.
func micros(t time.Time) int64 { return t.UnixMicro() }

// optionalMicros is a time that may be missing, as it is kept.
func optionalMicros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return micros(*t)
}

// moment reads a kept time.
func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// optionalMoment reads a kept time that may be missing.
func optionalMoment(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	t := moment(us.Int64)
	return &t
}

// optional is a value that may be missing, as it is kept.
func optional[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// optionalTruth is a bool that may be missing, as it is kept.
func optionalTruth(v *bool) any {
	if v == nil {
		return nil
	}
	return truth(*v)
}

// pointer is the other way round.
func pointer[T any](v sql.Null[T]) *T {
	if !v.Valid {
		return nil
	}
	return &v.V
}

// id is a reference as it is kept: 0 is none.
func id(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// fold is a text made comparable whatever its case.
func fold(s string) string { return strings.ToLower(s) }

// truth is a bool as it is kept.
func truth(v bool) int {
	if v {
		return 1
	}
	return 0
}
