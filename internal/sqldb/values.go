package sqldb

import (
	"database/sql"
	"strings"
	"time"
)

// Micros is a time as it is kept.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// OptionalMicros is a time that may be missing, as it is kept.
func OptionalMicros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return Micros(*t)
}

// Moment reads a kept time.
func Moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// OptionalMoment reads a kept time that may be missing.
func OptionalMoment(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	t := Moment(us.Int64)
	return &t
}

// Optional is a value that may be missing, as it is kept.
func Optional[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// OptionalBool is a bool that may be missing, as it is kept.
func OptionalBool(v *bool) any {
	if v == nil {
		return nil
	}
	return Bool(*v)
}

// Pointer is the other way round.
func Pointer[T any](v sql.Null[T]) *T {
	if !v.Valid {
		return nil
	}
	return &v.V
}

// NullID is a reference as it is kept: 0 is none.
func NullID(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// Lower is a text made comparable whatever its case.
func Lower(s string) string { return strings.ToLower(s) }

// Bool is a bool as it is kept.
func Bool(v bool) int {
	if v {
		return 1
	}
	return 0
}
