package metadb

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every query numbers its arguments in the order of their first use, so that it means
// the same to every driver.
func TestPlaceholdersAscend(t *testing.T) {
	mark := regexp.MustCompile(`\$(\d+)`)
	texts := 0
	eachText(t, func(at token.Position, text string) {
		texts++
		next := 1
		for _, m := range mark.FindAllStringSubmatch(text, -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil || n > next {
				// A text that continues another may begin with a later number.
				if next == 1 && !strings.HasPrefix(strings.TrimSpace(text), "SELECT") && !strings.HasPrefix(strings.TrimSpace(text), "WITH") {
					next = n
				} else {
					t.Errorf("%s: $%d comes before $%d", at, n, next)
				}
			}
			if n == next {
				next++
			}
		}
	})
	if texts < 50 {
		t.Errorf("only %d texts were found", texts)
	}
}

// LIKE without ESCAPE would treat a user's wildcards as such.
func TestLikeEscapes(t *testing.T) {
	eachText(t, func(at token.Position, text string) {
		if strings.Count(text, " LIKE ") != strings.Count(text, " ESCAPE ") {
			t.Errorf("%s: LIKE without ESCAPE in %q", at, text)
		}
	})
}

// eachText calls f with each string literal of the package that holds SQL.
func eachText(t *testing.T, f func(token.Position, string)) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	sql := regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|WHERE|VALUES|LIKE)\b`)
	files := token.NewFileSet()
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && sql.MatchString(text) {
					f(files.Position(lit.Pos()), text)
				}
			}
			return true
		})
	}
}
