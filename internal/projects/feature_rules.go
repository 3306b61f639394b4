package projects

// FeatureGates is what is set of a flag for one project. Nil fields are not set.
type FeatureGates struct {
	Own                *bool // the project's own value
	Instance           *bool
	PercentageOfTime   int64 // 0 to 100
	PercentageOfActors int64 // 0 to 100
}

// On reports whether a flag that is on unless somebody says otherwise is on for a
// project: its own value counts, else the instance's, else its percentages, of which
// one is enough. now is a number from 0 to 99, drawn for this answer.
func (g FeatureGates) On(projectID, now int64) bool {
	switch {
	case g.Own != nil:
		return *g.Own
	case g.Instance != nil:
		return *g.Instance
	case g.PercentageOfActors > 0 || g.PercentageOfTime > 0:
		lot := projectID * 2654435761 % 100 // spread over the ids, and the same each time
		return lot < g.PercentageOfActors || now < g.PercentageOfTime
	}
	return true
}
