package access

import "granary/internal/fault"

// Refusal is the fault that tells a verdict; nil for Allowed. noun names what
// a hidden resource would be, and may be empty.
func Refusal(v Verdict, action Action, noun string) error {
	switch v {
	case Allowed:
		return nil
	case Unauthenticated:
		return fault.New(fault.Unauthenticated, "")
	case OutOfScope:
		return fault.New(fault.InsufficientScope, ScopeList(action))
	case Hidden:
		return fault.New(fault.Hidden, noun)
	}
	return fault.New(fault.Denied, "")
}
