package api

import (
	"strconv"
	"strings"

	"granary/internal/fault"
)

// objects reads a list of objects. JSON and numbered forms number them ("links[0][url]").
// A plain form repeats "links[][url]", which is unambiguous only if every object has
// every key.
func (p params) objects(name string) []params {
	var found []params
	for i := 0; ; i++ {
		o := p.below(name + "[" + strconv.Itoa(i) + "]")
		if len(o.values)+len(o.null) == 0 {
			break
		}
		found = append(found, o)
	}
	if repeated := p.below(name + "[]"); len(repeated.values) > 0 {
		found = append(found, p.unzip(name, repeated.values)...)
	}
	return found
}

// below is the parameters of one object: outer[key] becomes key.
func (p params) below(outer string) params {
	o := p.inside(outer)
	inner := func(name string) (string, bool) {
		key, ok := strings.CutPrefix(name, outer+"[")
		return strings.TrimSuffix(key, "]"), ok
	}
	for name, values := range p.values {
		if key, ok := inner(name); ok {
			o.values[key] = values
		}
	}
	for name := range p.null {
		if key, ok := inner(name); ok {
			o.null[key] = true
		}
	}
	return o
}

// inside is empty parameters of an object named outer.
func (p params) inside(outer string) params {
	o := newParams()
	o.null, o.faults = map[string]bool{}, p.faults
	if p.asked != nil {
		o.asked = func(name string) { p.asked(outer + "[" + name + "]") }
	}
	return o
}

func (p params) unzip(name string, columns map[string][]string) []params {
	count := -1
	for _, values := range columns {
		if count >= 0 && len(values) != count {
			p.fail(name + " is invalid: give every entry the same keys, number them (" + name + "[0][...]), or send JSON")
			return nil
		}
		count = len(values)
	}
	rows := make([]params, count)
	for i := range rows {
		rows[i] = p.inside(name + "[]")
		for key, values := range columns {
			rows[i].values[key] = []string{values[i]}
		}
	}
	return rows
}

// putObjects numbers a JSON list of objects.
func (p params) putObjects(name string, list []any, depth int) error {
	for i, v := range list {
		object, ok := v.(map[string]any)
		if !ok {
			return fault.New(fault.Invalid, name+" is invalid")
		}
		if err := p.flatten(name+"["+strconv.Itoa(i)+"]", object, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// isObjects reports whether a JSON list begins with an object.
func isObjects(list []any) bool {
	if len(list) == 0 {
		return false
	}
	_, ok := list[0].(map[string]any)
	return ok
}
