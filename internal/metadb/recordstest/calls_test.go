package recordstest

import (
	"go/ast"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// The test of each promise calls the method, itself or through functions of this package.
func TestEveryTestCallsItsMethod(t *testing.T) {
	bodies := map[string]map[string]bool{} // by function: the names that it uses
	for _, file := range parse(t, "granary/internal/metadb/recordstest") {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				bodies[f.Name.Name] = namesIn(f.Body)
			}
		}
	}
	for _, c := range contracts() {
		for _, p := range c.promises {
			if name := nameOf(p.test); !uses(bodies, name, p.method, map[string]bool{}) {
				t.Errorf("%v.%s %s: %s does not call it", c.of, p.method, p.says, name)
			}
		}
	}
	if uses(bodies, "testFindUser", "FindGroup", map[string]bool{}) {
		t.Error("any function seems to call any method")
	}
}

func namesIn(body *ast.BlockStmt) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names[id.Name] = true
		}
		return true
	})
	return names
}

// nameOf is the name of a function of this package.
func nameOf(f func(*testing.T, *suite)) string {
	full := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return full[strings.LastIndex(full, ".")+1:]
}

// uses reports whether a function has the name in it, or in what it calls.
func uses(bodies map[string]map[string]bool, function, name string, seen map[string]bool) bool {
	if seen[function] {
		return false
	}
	seen[function] = true
	if bodies[function][name] {
		return true
	}
	for called := range bodies[function] {
		if bodies[called] != nil && uses(bodies, called, name, seen) {
			return true
		}
	}
	return false
}
