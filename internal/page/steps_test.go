package page_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"granary/internal/page"
)

// stepped is a page of rows that are their ids, of the given sizes; gone are not there any more.
func stepped(sizes []int64, gone ...int64) (page.Of[int64], *[][]int64) {
	var asked [][]int64
	steps := &page.Steps[int64]{Sizes: sizes}
	for i := range sizes {
		steps.IDs = append(steps.IDs, int64(i+1))
	}
	steps.Read = func(_ context.Context, ids []int64) ([]int64, error) {
		asked = append(asked, ids)
		return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return slices.Contains(gone, id) }), nil
	}
	return page.Of[int64]{Steps: steps, Total: len(sizes)}, &asked
}

func TestStepsAreBounded(t *testing.T) {
	const large = page.Large + 1
	for _, tt := range []struct {
		name  string
		sizes []int64
		want  [][]int64
	}{
		{"none", nil, nil},
		{"small ones together", []int64{1, 2, 3}, [][]int64{{1, 2, 3}}},
		{"a large one by itself", []int64{1, large, 1, 1}, [][]int64{{1}, {2}, {3, 4}}},
		{"large ones only", []int64{large, 10 * page.Step}, [][]int64{{1}, {2}}},
		{"up to the limit", []int64{60 << 10, 60 << 10, 60 << 10, 60 << 10, 60 << 10}, [][]int64{{1, 2, 3, 4}, {5}}},
	} {
		found, asked := stepped(tt.sizes)
		for _, err := range found.InSteps(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.EqualFunc(*asked, tt.want, slices.Equal) {
			t.Errorf("%s: steps %v, want %v", tt.name, *asked, tt.want)
		}
	}
}

func TestRowsThatAreGoneAreLeftOut(t *testing.T) {
	found, _ := stepped([]int64{1, page.Large, 1}, 2)
	err := found.Finish(t.Context(), func(_ context.Context, rows []int64) ([]int64, error) {
		return slices.DeleteFunc(rows, func(id int64) bool { return id == 3 }), nil
	})
	var rows []int64
	for step, failed := range found.InSteps(t.Context()) {
		rows, err = append(rows, step...), errors.Join(err, failed)
	}
	if err != nil || !slices.Equal(rows, []int64{1}) {
		t.Errorf("rows %v, %v, want 1 only", rows, err)
	}
	if last, more := found.Last(); last != 3 || more {
		t.Errorf("the last row is %d, more follow: %v", last, more)
	}
}

func TestAnErrorEndsTheSteps(t *testing.T) {
	found, asked := stepped([]int64{page.Large, page.Large, page.Large})
	broken := errors.New("broken")
	if err := found.Finish(t.Context(), func(context.Context, []int64) ([]int64, error) { return nil, broken }); err != nil {
		t.Fatal(err)
	}
	var got error
	for _, err := range found.InSteps(t.Context()) {
		got = err
	}
	if !errors.Is(got, broken) || len(*asked) != 1 {
		t.Errorf("%v after %d steps, want one", got, len(*asked))
	}
}
