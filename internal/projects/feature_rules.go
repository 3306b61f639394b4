package projects

// FeatureGates are the values of a flag for one project. Nil fields are not set.
type FeatureGates struct {
	Own                *bool // the project's own value
	Instance           *bool
	PercentageOfTime   int64 // 0 to 100
	PercentageOfActors int64 // 0 to 100
}

// On reports whether a flag is on for a project, by the first of these that is set: the
// project's own value, the instance's, the percentages, of which one is enough. If none
// is set, the flag is on. now is a random number from 0 to 99, drawn for this call.
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
