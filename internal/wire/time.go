// Package wire is the JSON of the API: shapes that the server writes and the
// client reads. It decides nothing.
package wire

import "time"

// Time is a moment as the API writes it: ISO 8601 in UTC with milliseconds.
type Time time.Time

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the moment, null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return time.Time(t).UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// UnmarshalJSON reads any ISO 8601 moment, and null as the zero time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	read, err := time.Parse(`"`+time.RFC3339+`"`, string(b))
	*t = Time(read)
	return err
}

// OptionalTime is a pointer to Time, nil for nil.
func OptionalTime(t *time.Time) *Time {
	if t == nil {
		return nil
	}
	w := Time(*t)
	return &w
}

// OptionalText is a text that may be null, nil for "".
func OptionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// DateLayout is how the API writes a day.
const DateLayout = "2006-01-02"

// OptionalDate is a day as the API writes it, nil for nil.
func OptionalDate(t *time.Time) *string {
	if t == nil {
		return nil
	}
	day := t.UTC().Format(DateLayout)
	return &day
}
