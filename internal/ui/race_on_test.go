//go:build race

package ui_test

// raced reports the race detector, under which everything takes several times as long.
const raced = true
