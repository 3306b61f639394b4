package api

import (
	"math"
	"strconv"

	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/wire"
)

func listFeatures(c *call) error {
	found, err := c.s.Projects.ListFeatures(c.r.Context(), c.actor)
	if err != nil {
		return err
	}
	return answered(c, nil, page.Of[projects.Feature]{Rows: found}, func(a *answerWriter, f projects.Feature) error { return a.value(feature(f)) })
}

func listFeatureDefinitions(c *call) error {
	if err := c.s.Projects.MayReadFeatures(c.actor); err != nil {
		return err
	}
	return c.ok([]wire.FeatureDefinition{genericPackagesDefinition()})
}

func genericPackagesDefinition() wire.FeatureDefinition {
	return wire.FeatureDefinition{Name: projects.GenericPackages, Milestone: "13.5", Type: "ops", DefaultEnabled: true}
}

func setFeature(c *call) error {
	if err := c.s.Projects.MayTurnFeatures(c.actor); err != nil {
		return err
	}
	change, err := c.featureChange()
	if err != nil {
		return err
	}
	f, err := c.s.Projects.SetFeature(c.r.Context(), c.actor, c.path("name"), change)
	if err != nil {
		return err
	}
	return c.created(feature(f))
}

func deleteFeature(c *call) error {
	if err := c.s.Projects.DeleteFeature(c.r.Context(), c.actor, c.path("name")); err != nil {
		return err
	}
	return c.noContent()
}

// featureChange reads which gate to set, to which value, for whom (contract rest-api E).
func (c *call) featureChange() (projects.FeatureChange, error) {
	p := c.params
	paths := p.upTo(maxReference)
	change := projects.FeatureChange{Targets: projects.FeatureTargets{
		Users: p.list("user"), Groups: paths.list("group"), Namespaces: paths.list("namespace"),
		Projects: append(paths.list("project"), paths.list("repository")...),
	}}
	value, key := p.required("value"), p.choice("key", "percentage_of_time", "percentage_of_actors")
	targeted := ""
	for _, name := range []string{"user", "group", "namespace", "project", "repository", "feature_group"} {
		if p.sends(name) {
			targeted = name
			if key != "" {
				p.fail("key, " + name + " are mutually exclusive")
			}
		}
	}
	if err := p.err(); err != nil {
		return change, err
	}
	if p.sends("feature_group") {
		return change, fault.New(fault.Refused, "feature_group is not supported; use user, group, namespace or project")
	}
	err := flagGate(&change, value, key, targeted != "")
	return change, err
}

// flagGate reads the value: true, false, or a percentage, which is rounded up.
func flagGate(change *projects.FeatureChange, value, key string, targeted bool) error {
	number, err := strconv.ParseFloat(value, 64)
	on := value == "true"
	if on || value == "false" || err == nil && number == 0 {
		change.Value = &on
		return nil
	}
	switch {
	case err != nil || math.IsNaN(number):
		return fault.New(fault.Refused, "Value must be boolean or numeric, got "+value)
	case number < 0 || number > 100:
		return fault.New(fault.Refused, "Value must be a percentage from 0 to 100, got "+value)
	case targeted:
		return fault.New(fault.Refused, "Value must be boolean for a single target, got "+value)
	}
	percent := int(math.Ceil(number))
	if key == "percentage_of_actors" {
		change.PercentageOfActors = &percent
	} else {
		change.PercentageOfTime = &percent
	}
	return nil
}

// feature shows a flag. disabled_actors, the targets for which the flag is off, is a
// gate that GitLab does not have.
func feature(f projects.Feature) wire.Feature {
	w := wire.Feature{Name: f.Name, State: "off", Gates: []wire.FeatureGate{}}
	if f.Value != nil {
		w.Gates = append(w.Gates, wire.FeatureGate{Key: "boolean", Value: *f.Value})
		if *f.Value {
			w.State = "on"
		}
	}
	for _, gate := range []struct {
		key     string
		percent int
	}{{"percentage_of_time", f.PercentageOfTime}, {"percentage_of_actors", f.PercentageOfActors}} {
		if gate.percent > 0 {
			w.Gates = append(w.Gates, wire.FeatureGate{Key: gate.key, Value: gate.percent})
			if w.State != "on" {
				w.State = "conditional"
			}
			if gate.percent == 100 {
				w.State = "on"
			}
		}
	}
	on, off := []string{}, []string{}
	for _, a := range f.Actors {
		if a.On {
			on = append(on, a.Target)
		} else {
			off = append(off, a.Target)
		}
	}
	for _, gate := range []wire.FeatureGate{{Key: "actors", Value: on}, {Key: "disabled_actors", Value: off}} {
		if len(gate.Value.([]string)) > 0 {
			w.Gates = append(w.Gates, gate)
			w.State = "conditional"
		}
	}
	if f.Name == projects.GenericPackages {
		w.Definition = new(genericPackagesDefinition())
	}
	return w
}
