package e2e

import "os"

// OpenTerminal is openTerminal, for the tests beside.
func OpenTerminal() (screen, tty *os.File, err error) { return openTerminal() }
