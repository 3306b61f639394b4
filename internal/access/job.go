package access

import "granary/internal/fault"

// JobRefusal is Refusal with words for a job of another project that the job
// token scope does not let in (contract rest-api C5). project is the last
// segment of the path of the project that was asked for. The generic routes
// name nothing and do without it (contract generic-packages 2.6).
func JobRefusal(v Verdict, a Actor, r Resource, action Action, noun, project string) error {
	if v == Denied && a.Kind == Job && !r.Listed {
		return fault.New(fault.Denied, "Authentication by CI/CD job token not allowed from "+a.JobProject+" to "+project+".")
	}
	return Refusal(v, action, noun)
}
