package naming

// Rule is one part of a grammar for a browser, which checks what is typed before a byte is
// sent.
type Rule struct {
	// Pattern is for the attribute of that name: JavaScript matches it with the whole
	// text, under the flag v.
	Pattern string
	Words   string // the rule as a sentence
}

// Rules are the grammar of package names, versions and file names for browsers. They accept
// what Parse accepts. Only of a file's directories the rule knows no more than that they
// are not empty, since browsers send none.
type Rules struct{ Name, Version, File Rule }

// notDots refuses the two names that lead out of a folder.
const notDots = `(?!\.{1,2}$)`

// Rules returns the rules of the grammar. Under the flag v a class may not have a bare "-".
func (g Grammar) Rules() Rules {
	if g != Relaxed {
		const name, words = notDots + `[A-Za-z0-9._\-]{1,255}`, "Letters, digits and . _ - only, up to 255."
		return Rules{
			Name: Rule{name, words}, File: Rule{name, words},
			Version: Rule{`(?!.{256})[0-9]+\.[0-9]+\.[0-9]+`, "Three numbers with dots between them, such as 2.4.1."},
		}
	}
	const more = `[A-Za-z0-9._+\-]`
	return Rules{
		Name:    Rule{notDots + more + `{1,255}`, "Letters, digits and . _ - + only, up to 255."},
		Version: Rule{`(?!\.$)(?!.*\.\.)` + more + `{1,255}`, "Letters, digits and . _ - + only, up to 255, and no two dots in a row."},
		File:    Rule{`(?:[^\/]+\/)*` + notDots + `(?![~@])[A-Za-z0-9._+~@\-]{0,254}` + more, "Letters, digits and . _ - + ~ @ only, up to 255, with ~ and @ neither first nor last."},
	}
}
