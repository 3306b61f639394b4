package sqldb

import (
	"database/sql"
	"strings"
	"time"
)

// Micros is a time as a column holds it.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// OptionalMicros is a time, or NULL, as a column holds it.
func OptionalMicros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return Micros(*t)
}

// Moment is the time of a column.
func Moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// OptionalMoment is the time of a nullable column.
func OptionalMoment(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	t := Moment(us.Int64)
	return &t
}

// Optional is a value, or NULL, as a column holds it.
func Optional[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// OptionalBool is a bool, or NULL, as a column holds it.
func OptionalBool(v *bool) any {
	if v == nil {
		return nil
	}
	return Bool(*v)
}

// Pointer is the value of a nullable column.
func Pointer[T any](v sql.Null[T]) *T {
	if !v.Valid {
		return nil
	}
	return &v.V
}

// NullID is a reference as a column holds it: 0 is NULL.
func NullID(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// NullText is a text as a nullable column holds it: "" is NULL.
func NullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Lower is a text in lower case, for comparisons whatever the case.
func Lower(s string) string { return strings.ToLower(s) }

// Bool is a bool as a column holds it.
func Bool(v bool) int {
	if v {
		return 1
	}
	return 0
}
