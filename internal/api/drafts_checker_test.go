package api_test

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The checker refuses histories that break a promise, and takes those that keep it. Each
// deed lasts from its first moment to its second.
func TestDraftChecker(t *testing.T) {
	type moment struct {
		call, back int64
		draftDeed
		draftOutcome
	}
	put := func(path int, c content) draftDeed { return draftDeed{what: "draft put", path: path, content: c} }
	finalise, remove := draftDeed{what: "finalise"}, draftDeed{what: "delete"}
	says := func(status int) draftOutcome { return draftOutcome{status: status} }
	looks := func(s standing, files, reserved listing) draftOutcome {
		return draftOutcome{status: 200, seen: versionState{s, files, reserved}}
	}
	look := draftDeed{what: "look"}
	for _, c := range []struct {
		name    string
		right   bool
		history []moment
	}{
		{"a PUT before the finalise is in the manifest", true, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 6, put(1, 2), says(201)}, {4, 7, finalise, says(201)},
			{8, 9, look, looks(finalVersion, listing{1, 2}, listing{1, 2})},
		}},
		{"a PUT after the finalise is refused", true, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 6, put(1, 2), says(409)}, {4, 7, finalise, says(201)},
			{8, 9, look, looks(finalVersion, listing{1, 0}, listing{1, 0})},
		}},
		{"a 201 is not in the manifest", false, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 6, put(1, 2), says(201)}, {4, 7, finalise, says(201)},
			{8, 9, look, looks(finalVersion, listing{1, 0}, listing{1, 0})},
		}},
		{"an open version under a reserved number", false, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 9, finalise, says(201)}, {4, 9, remove, says(204)},
			{5, 9, draftDeed{what: "put", content: 1}, says(201)}, {10, 11, look, looks(openVersion, listing{1, 0}, listing{1, 0})},
		}},
		{"a number that was final means another manifest", false, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 4, finalise, says(201)}, {5, 6, remove, says(204)},
			{7, 8, put(0, 2), says(201)}, {9, 10, finalise, says(201)},
		}},
		{"the same manifest again", true, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 4, finalise, says(201)}, {5, 6, remove, says(204)},
			{7, 8, put(0, 1), says(201)}, {9, 10, finalise, says(201)},
		}},
		{"two finalisers were the first", false, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 6, finalise, says(201)}, {4, 7, finalise, says(201)},
		}},
		{"one finaliser was the first", true, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 6, finalise, says(200)}, {4, 7, finalise, says(201)},
		}},
		{"a draft is visible", false, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 4, draftDeed{what: "get"}, draftOutcome{status: 200, content: 1}}, {5, 6, finalise, says(201)},
		}},
		{"a final version is not visible", false, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 4, finalise, says(201)}, {5, 6, draftDeed{what: "get"}, says(404)},
		}},
		{"an expired draft becomes final", false, []moment{
			{1, 2, put(0, 1), says(201)}, {3, 6, draftDeed{what: "expire"}, says(204)}, {4, 7, finalise, says(201)},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var history []porcupine.Operation
			for i, m := range c.history {
				history = append(history, porcupine.Operation{ClientId: i, Input: m.draftDeed, Call: m.call, Output: m.draftOutcome, Return: m.back})
			}
			if got := porcupine.CheckOperations(versionState{standing: noVersion}.linearizable(), history); got != c.right {
				t.Errorf("linearizable: %v, want %v", got, c.right)
			}
		})
	}
}
