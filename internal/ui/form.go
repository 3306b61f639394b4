package ui

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"granary/internal/fault"
	"granary/internal/naming"
)

// form is what somebody typed, and why it was refused. The zero value is a form that
// nobody has sent yet.
type form struct {
	values  url.Values
	reasons map[string][]string // by field, as deeds say them; "" for the form as a whole
	placed  map[string]bool     // the fields whose reasons the page shows
	status  int                 // of the page that shows it again; 0 for a new form
}

// readForm reads the fields of a form, within the route's limit.
func (v *visit) readForm() error {
	most := v.route.way.largest
	if most == 0 {
		most = maxForm
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, most)
	err := v.r.ParseForm()
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Wrap(fault.TooLarge, "The form has more than "+size(large.Limit), err)
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, "The form cannot be read", err)
	}
	for _, texts := range v.r.PostForm {
		for i := range texts {
			texts[i] = strings.ReplaceAll(texts[i], "\r\n", "\n") // browsers send each end of a line so
		}
	}
	v.form.values = v.r.PostForm
	return nil
}

// sent is a field as it was sent, without blanks around it.
func (v *visit) sent(name string) string { return strings.TrimSpace(v.form.values.Get(name)) }

// again shows a form again after a refusal, with what was typed and the reasons beside the
// fields. Other errors stay errors.
func (v *visit) again(show func(*visit) error, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	status, ok := refusals()[e.Kind]
	if !ok {
		return err
	}
	v.form.status = status
	v.form.reasons = map[string][]string{}
	for field, why := range e.Fields {
		if _, sent := v.form.values[field]; sent {
			v.form.reasons[field] = why
			continue
		}
		for _, text := range why {
			v.form.reasons[""] = append(v.form.reasons[""], named(field, text))
		}
	}
	if len(v.form.reasons) == 0 {
		v.form.reasons[""] = reasons(e)
	}
	return show(v)
}

// Or is a field's value as it was typed, or else as it is stored. A field of another form
// of the page was not typed.
func (f *form) Or(name, stored string) string {
	if !f.values.Has(name) {
		return stored
	}
	return f.values.Get(name)
}

// Has reports whether a box was ticked or a choice made; stored is its state in a new form.
func (f *form) Has(name, value string, stored bool) bool {
	if f.values == nil {
		return stored
	}
	return slices.Contains(f.values[name], value)
}

// Why is the reasons why a field was refused; "" is the form as a whole. A page that asks
// shows them.
func (f *form) Why(name string) (texts []string) {
	if f.placed == nil {
		f.placed = map[string]bool{}
	}
	f.placed[name] = true
	for _, text := range f.reasons[name] {
		texts = append(texts, sentence(text))
	}
	return texts
}

// Unplaced is the reasons that the page, which is made already, has no place for.
func (f *form) Unplaced() (texts []string) {
	for _, name := range slices.Sorted(maps.Keys(f.reasons)) {
		if f.placed[name] {
			continue
		}
		for _, text := range f.reasons[name] {
			texts = append(texts, named(name, text))
		}
	}
	return texts
}

// Refused reports a form that is shown again.
func (f *form) Refused() bool { return f.status != 0 }

// First reports whether a field is the one on which the focus belongs: the first that was
// refused, in the order of the page.
func (f *form) First(name string) bool {
	if len(f.reasons[name]) == 0 {
		return false
	}
	for other := range f.reasons {
		if other != name && other != "" && other < name {
			return false
		}
	}
	return true
}

// field is a text field of a form, for the template of the same name.
type field struct {
	Form        *form
	Name, Label string
	Value, Hint string
	Type        string
	Example     string
	Needed      bool
	Length      int
	Pattern     string // that the browser holds it to; "" for none
	Rule        string // the pattern in words
}

// newField is a field of type text; stored is its value in a new form.
func newField(f *form, name, label, stored string) field {
	return field{Form: f, Name: name, Label: label, Value: f.Or(name, stored), Type: "text", Length: 255}
}

// As is the field with another type, such as date or number.
func (f field) As(kind string) field { f.Type = kind; return f }

// Required is the field that must not be empty.
func (f field) Required() field { f.Needed = true; return f }

// Help is the field with a sentence below it.
func (f field) Help(text string) field { f.Hint = text; return f }

// Such is the field with an example in it.
func (f field) Such(text string) field { f.Example = text; return f }

// Held is the field that the browser holds to a rule.
func (f field) Held(r naming.Rule) field { f.Pattern, f.Rule = r.Pattern, r.Words; return f }

// Most is the field with the largest number of characters.
func (f field) Most(n int) field { f.Length = n; return f }
