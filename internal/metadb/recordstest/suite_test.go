package recordstest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"granary/internal/gate"
)

// Every method of the contracts has a test here.
func TestTableIsWhole(t *testing.T) {
	for _, complaint := range tableFaults(contracts()) {
		t.Error(complaint)
	}
}

func TestTableFaults(t *testing.T) {
	withoutTest, withoutMethod := contracts(), contracts()
	withoutTest[0].promises = withoutTest[0].promises[3:] // those of FindToken
	withoutMethod[0].promises = append(withoutMethod[0].promises, promise{method: "FindNothing"})
	for want, table := range map[string][]contract{
		"auth.Tokens.FindToken has no test":                 withoutTest,
		"auth.Tokens has no method FindNothing":             withoutMethod,
		"recordstest.Records.TouchTokens is in no contract": contracts()[1:],
		"gate.Places.GroupStanding is in no contract":       contracts()[:len(contracts())-1],
	} {
		if got := tableFaults(table); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// tableFaults finds methods without a promise, and promises without a method.
func tableFaults(all []contract) (faults []string) {
	var known []string
	for _, c := range all {
		methods := methodsOf(c.of)
		known = append(known, methods...)
		for _, method := range methods {
			if !slices.ContainsFunc(c.promises, func(p promise) bool { return p.method == method }) {
				faults = append(faults, fmt.Sprintf("%v.%s has no test: write one for each promise of its comment", c.of, method))
			}
		}
		for _, p := range c.promises {
			if !slices.Contains(methods, p.method) {
				faults = append(faults, fmt.Sprintf("%v has no method %s: remove its test", c.of, p.method))
			}
		}
	}
	for _, whole := range []reflect.Type{reflect.TypeFor[Records](), reflect.TypeFor[gate.Places]()} {
		for _, method := range methodsOf(whole) {
			if !slices.Contains(known, method) {
				faults = append(faults, fmt.Sprintf("%v.%s is in no contract here: add its interface to contracts", whole, method))
			}
		}
	}
	return faults
}

func methodsOf(contract reflect.Type) (names []string) {
	for m := range contract.NumMethod() {
		names = append(names, contract.Method(m).Name)
	}
	return names
}

// Each fault that the comment of a method names is named by a promise of the method,
// and each that the comment of an interface names by some promise.
func TestEveryFaultOfTheCommentsIsTested(t *testing.T) {
	kinds := faultWords(t)
	for _, c := range contracts() {
		whole, methods := comments(t, c.of)
		for _, kind := range kinds.FindAllString(whole, -1) {
			if !promised(c, "", kind) {
				t.Errorf("%v: the comment promises %s, and no test does", c.of, kind)
			}
		}
		for method, text := range methods {
			for _, kind := range kinds.FindAllString(text, -1) {
				if !promised(c, method, kind) {
					t.Errorf("%v.%s: the comment promises %s, and no test does", c.of, method, kind)
				}
			}
		}
	}
}

// promised reports whether a promise of the method names the fault; "" is any method.
func promised(c contract, method, kind string) bool {
	return slices.ContainsFunc(c.promises, func(p promise) bool {
		return (method == "" || p.method == method) && slices.Contains(strings.FieldsFunc(p.says, func(r rune) bool { return r == ' ' || r == ',' }), kind)
	})
}

// faultWords finds the kinds of package fault, and the errors with a name of their own.
func faultWords(t *testing.T) *regexp.Regexp {
	t.Helper()
	words := []string{"LastAdministrator", "DamageError"}
	for _, file := range parse(t, "granary/internal/fault") {
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, spec := range d.Specs {
					words = append(words, spec.(*ast.ValueSpec).Names[0].Name)
				}
			}
		}
	}
	if !slices.Contains(words, "Precondition") {
		t.Fatalf("the kinds of faults are not found: %q", words)
	}
	return regexp.MustCompile(`\b(` + strings.Join(words, "|") + `)\b`)
}

// comments are those of an interface, and of its methods by name.
func comments(t *testing.T, of reflect.Type) (whole string, methods map[string]string) {
	t.Helper()
	methods = map[string]string{}
	for _, file := range parse(t, of.PkgPath()) {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE || d.Specs[0].(*ast.TypeSpec).Name.Name != of.Name() {
				continue
			}
			for _, m := range d.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType).Methods.List {
				methods[m.Names[0].Name] = m.Doc.Text()
			}
			return d.Doc.Text(), methods
		}
	}
	t.Fatalf("the source of %v is not found", of)
	return "", nil
}

// parse reads the source of a package of ours, with its comments.
func parse(t *testing.T, pkg string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("../..", strings.TrimPrefix(pkg, "granary/internal/"), "*.go"))
	must(t, 0, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		files = append(files, must(t, file, err))
	}
	return files
}
