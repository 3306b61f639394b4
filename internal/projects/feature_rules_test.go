package projects

import "testing"

func TestFeatureGates(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		gates FeatureGates
		now   int64
		want  bool
	}{
		{FeatureGates{}, 99, true},
		{FeatureGates{Instance: &no}, 0, false},
		{FeatureGates{Instance: &no, Own: &yes}, 0, true},
		{FeatureGates{Instance: &yes, Own: &no}, 0, false},
		{FeatureGates{Instance: &no, PercentageOfTime: 100}, 0, false},
		{FeatureGates{PercentageOfTime: 30}, 29, true},
		{FeatureGates{PercentageOfTime: 30}, 30, false},
		{FeatureGates{PercentageOfActors: 100}, 99, true},
	} {
		if got := tt.gates.On(7, tt.now); got != tt.want {
			t.Errorf("%+v, %d: %v", tt.gates, tt.now, got)
		}
	}
	for want, gates := range map[FeatureSource]FeatureGates{
		FromDefault: {}, FromShare: {PercentageOfTime: 1}, FromInstance: {Instance: &no, PercentageOfTime: 1}, FromProject: {Own: &no, Instance: &yes},
	} {
		if got := gates.From(); got != want {
			t.Errorf("%+v is decided by %s, want %s", gates, got, want)
		}
	}
	on := 0
	for id := range int64(1000) {
		if (FeatureGates{PercentageOfActors: 30}).On(id, 99) {
			on++
		}
	}
	if on != 300 {
		t.Errorf("on for %d of 1000 projects, want 30 percent", on)
	}
}
