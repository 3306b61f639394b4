package ui_test

import "testing"

// TestChannelCalledLatest: a channel @latest does not look like the label of the version that
// the selector latest chooses.
func TestChannelCalledLatest(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("developer")
	b.post(sondeURL+"sonde/1.0.0/channel", "channel", "latest").wants(t, 303)
	const label, channel = `<span class="tag leaf">latest</span>`, `<span class="tag leaf">@latest</span>`
	b.get(sondeURL+"sonde/1.0.0").wants(t, 200, channel).lacks(t, label)
	b.get(sondeURL+"sonde/1.1.0").wants(t, 200, label).lacks(t, channel)
	b.get(sondeURL+"sonde").wants(t, 200, label, channel, "<dt>@latest</dt>")
	b.get("/acme/tools").wants(t, 200, "@latest 1.0.0</span>")
}
