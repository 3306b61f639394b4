package projects

// FeatureGates are the values of a flag for one project. Nil fields are not set.
type FeatureGates struct {
	Own                *bool // the project's own value
	Instance           *bool
	PercentageOfTime   int64 // 0 to 100
	PercentageOfActors int64 // 0 to 100
}

// FeatureSource is the gate that decides a flag's state in a project.
type FeatureSource string

// The gates, the first that is set decides.
const (
	FromProject  FeatureSource = "project"
	FromInstance FeatureSource = "instance"
	FromShare    FeatureSource = "share" // the percentages
	FromDefault  FeatureSource = "default"
)

// From returns the gate that decides.
func (g FeatureGates) From() FeatureSource {
	switch {
	case g.Own != nil:
		return FromProject
	case g.Instance != nil:
		return FromInstance
	case g.PercentageOfActors > 0 || g.PercentageOfTime > 0:
		return FromShare
	}
	return FromDefault
}

// On reports whether a flag is on for a project, by the first of these that is set: the
// project's own value, the instance's, the percentages, of which one is enough. If none
// is set, the flag is on. now is a random number from 0 to 99, drawn for this call.
func (g FeatureGates) On(projectID, now int64) bool {
	switch g.From() {
	case FromProject:
		return *g.Own
	case FromInstance:
		return *g.Instance
	case FromShare:
		lot := projectID * 2654435761 % 100 // spread over the ids, and the same each time
		return lot < g.PercentageOfActors || now < g.PercentageOfTime
	}
	return true
}
