package cli

import "fmt"

// counted is a number of things in words: 1 file, 2 files.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// countedAre is counted with its verb: 1 file is, 2 files are.
func countedAre(n int64, thing string) string {
	if n == 1 {
		return counted(n, thing) + " is"
	}
	return counted(n, thing) + " are"
}
