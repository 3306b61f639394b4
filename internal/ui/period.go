package ui

import (
	"strconv"
	"time"

	"granary/internal/fault"
)

// period is the time of the filter "published": the last so many days, or from and to.
func (v *visit) period() (since, until *time.Time, err error) {
	if text := v.query("published"); text != "" {
		days, err := strconv.Atoi(text)
		if err != nil || days < 1 || days > 3660 {
			return nil, nil, fault.New(fault.Invalid, "published must be a number of days from 1 to 3660")
		}
		from := v.began.AddDate(0, 0, -days)
		since = &from
	}
	for name, to := range map[string]**time.Time{"from": &since, "to": &until} {
		text := v.query(name)
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, nil, fault.New(fault.Invalid, name+" must be a date such as 2026-11-26")
		}
		*to = &day
	}
	return since, until, nil
}
