package ui

import "strconv"

// selectField is a choice of one of several, for the template select.
type selectField struct {
	Form        *form
	Name, Label string
	Hint        string
	Rows        []choiceRow
}

// pick is a select; stored is what is chosen in a new form, pairs are value and name.
func (v *visit) pick(name, label, stored string, pairs ...string) selectField {
	return selectField{Form: v.form, Name: name, Label: label, Rows: choices(v.form.Or(name, stored), pairs...)}
}

// help is the select with a sentence below it.
func (f selectField) help(text string) selectField { f.Hint = text; return f }

// boxField is a box to tick, for the template box.
type boxField struct {
	Name, Label, Hint string
	On                bool
}

// box is a box; stored is its state unless its form was sent. The template sends a value
// for a box that is not ticked, too, so that it differs from a box of another form.
func (v *visit) box(name, label, hint string, stored bool) boxField {
	if v.form.values.Has(name) {
		stored = v.ticked(name)
	}
	return boxField{name, label, hint, stored}
}

// ticked reports a box that was sent ticked.
func (v *visit) ticked(name string) bool { return v.form.Has(name, "1", false) }

// areaField is a text of several lines, for the template area.
type areaField struct {
	Form        *form
	Name, Label string
	Value, Hint string
	Lines       int
	Length      int // characters at most
	Needed      bool
}

// formID is the id in a field, 0 if there is none.
func (v *visit) formID(name string) int64 {
	n, err := strconv.ParseInt(v.sent(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
