#!/bin/bash
# Masterminds/semver 3.5.0 (Go) takes the range ~0.0.0 for any version: 9.9.9 is in it.
# ~0.0, ~0.0.1 and ^0.0.0 are what they are for npm. needs: go
. "$(dirname "$0")/lib.sh"
cd "$work"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/Masterminds/semver/v3"
)

func main() {
	within, err := semver.NewConstraint(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, version := range []string{"0.0.0", "0.0.9", "0.1.0", "9.9.9"} {
		if within.Check(semver.MustParse(version)) {
			fmt.Print(version, " ")
		}
	}
}
GO
{ go mod init range && go get github.com/Masterminds/semver/v3@v3.5.0 && go build -o range; } >output 2>&1 || { cat output >&2; exit 1; }
want "in ~0.0.0" "$(./range '~0.0.0')" "0.0.0 0.0.9 0.1.0 9.9.9 "
want "in ~0.0" "$(./range '~0.0')" "0.0.0 0.0.9 "
want "in ^0.0.0" "$(./range '^0.0.0')" "0.0.0 "
