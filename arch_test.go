package granary_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated part of .golangci.yml")

const (
	module    = "granary"
	maxFloors = 6 // cmd, cli, daemon, api, registry, gate, above the first: access, fault, page
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath     string
	Dir            string
	GoFiles        []string
	IgnoredGoFiles []string // for other systems
	Imports        []string // its tests' are not among them
}

func TestArchitecture(t *testing.T) {
	pkgs := listPackages(t)
	if len(pkgs) == 0 {
		t.Fatal("go list found no package")
	}
	for _, complaint := range slices.Concat(importFaults(pkgs), floorFaults(pkgs)) {
		t.Error(complaint)
	}
	for _, p := range pkgs {
		for _, name := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, complaint := range globalFaults(strings.TrimPrefix(p.ImportPath, module+"/")+"/"+name, src) {
				t.Error(complaint)
			}
		}
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,IgnoredGoFiles,Imports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// importFaults holds every package to the table.
func importFaults(pkgs []goPackage) (faults []string) {
	for _, p := range pkgs {
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		if path == module { // the root holds only this test
			continue
		}
		r, ok := roomOf(path)
		if !ok {
			faults = append(faults, fmt.Sprintf("%s is no room of the house: arch_rules_test.go must say what it may import, and why", path))
			continue
		}
		for _, imp := range p.Imports {
			if why := refusal(r, imp); why != "" {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", path, imp, why))
			}
		}
	}
	return faults
}

// refusal is why a room may not import a package, or "".
func refusal(r room, imp string) string {
	if ours, ok := strings.CutPrefix(imp, module+"/"); ok {
		to, known := roomOf(ours)
		if known && (to.path == r.path || slices.Contains(r.may, strings.TrimPrefix(to.path, "internal/"))) {
			return ""
		}
		return r.why
	}
	listed := false
	for _, l := range limits() {
		if !within(imp, l.pkg) {
			continue
		}
		listed = true
		if slices.Contains(l.never, r.path) || len(l.only) > 0 && !slices.Contains(l.only, r.path) {
			return l.why
		}
	}
	if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") && !listed {
		return "a dependency is a decision: arch_rules_test.go must say which rooms use it, and why"
	}
	return ""
}

// roomOf finds the innermost room that a path below the module is in.
func roomOf(path string) (found room, ok bool) {
	for _, r := range rooms() {
		if within(path, r.path) && len(r.path) > len(found.path) {
			found, ok = r, true
		}
	}
	return found, ok
}

func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// floorFaults says where imports of ours stack higher than maxFloors. Who
// imports nothing of ours is on the ground.
func floorFaults(pkgs []goPackage) (faults []string) {
	imports := map[string][]string{}
	for _, p := range pkgs {
		imports[p.ImportPath] = p.Imports
	}
	height := map[string]int{}
	var floor func(string) int
	floor = func(path string) int {
		if h, ok := height[path]; ok {
			return h
		}
		top := 0
		for _, imp := range imports[path] {
			if _, ours := imports[imp]; ours {
				top = max(top, floor(imp)+1)
			}
		}
		height[path] = top
		return top
	}
	for _, p := range pkgs {
		if h := floor(p.ImportPath); h > maxFloors {
			faults = append(faults, fmt.Sprintf("%s is on floor %d: whoever reads down from it must reach the ground within %d", p.ImportPath, h, maxFloors))
		}
	}
	return faults
}

// globalFaults finds init functions and package variables: state and work that
// no caller sees. Errors to compare with, assertions for the compiler and
// embedded files are none.
func globalFaults(name string, src []byte) (faults []string) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return []string{err.Error()}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				faults = append(faults, fmt.Sprintf("%v: func init runs before anyone asked; let main build it", fset.Position(d.Pos())))
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				v, ok := s.(*ast.ValueSpec)
				if ok && d.Tok == token.VAR && !harmless(d, v) && tables()[filepath.Dir(name)+"."+v.Names[0].Name] == "" {
					faults = append(faults, fmt.Sprintf("%v: package variable %s: pass it, or make it a constant or a function", fset.Position(v.Pos()), v.Names[0]))
				}
			}
		}
	}
	return faults
}

func harmless(d *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{d.Doc, v.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	if !slices.ContainsFunc(v.Names, func(n *ast.Ident) bool { return n.Name != "_" }) {
		return true
	}
	return len(v.Values) > 0 && !slices.ContainsFunc(v.Values, func(e ast.Expr) bool { return !isNewError(e) })
}

// isNewError tells an error to compare with, or a narrower one made of it.
func isNewError(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && (pkg.Name == "errors" && sel.Sel.Name == "New" || pkg.Name == "fmt" && sel.Sel.Name == "Errorf")
}

// TestArchitectureCanFail feeds the checks a house that breaks every rule.
func TestArchitectureCanFail(t *testing.T) {
	bad := []goPackage{
		{ImportPath: "granary/internal/registry", Imports: []string{"context", "net/http", "os", "granary/internal/access", "granary/internal/metadb"}},
		{ImportPath: "granary/internal/access", Imports: []string{"errors", "net/url", "time"}},
		{ImportPath: "granary/internal/blob", Imports: []string{"granary/internal/blob/disk"}},
		{ImportPath: "granary/internal/metadb", Imports: []string{"database/sql", "github.com/jackc/pgx/v5/stdlib", "granary/internal/metadb/migrations"}},
		{ImportPath: "granary/internal/daemon", Imports: []string{"granary/internal/metadb/metadbtest", "example.com/left-pad"}},
		{ImportPath: "granary/internal/utils"},
	}
	var got []string
	for _, f := range importFaults(bad) {
		short, _, _ := strings.Cut(f, ":")
		got = append(got, short)
	}
	want := []string{
		"internal/registry imports net/http",
		"internal/registry imports os",
		"internal/registry imports granary/internal/metadb",
		"internal/access imports net/url",
		"internal/access imports time",
		"internal/blob imports granary/internal/blob/disk",
		"internal/metadb imports github.com/jackc/pgx/v5/stdlib",
		"internal/daemon imports granary/internal/metadb/metadbtest",
		"internal/daemon imports example.com/left-pad",
		"internal/utils is no room of the house",
	}
	if !slices.Equal(got, want) {
		t.Errorf("imports: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	var tower []goPackage
	for i := range maxFloors + 2 {
		tower = append(tower, goPackage{ImportPath: fmt.Sprint("f", i), Imports: []string{fmt.Sprint("f", i+1), "os"}})
	}
	if got := floorFaults(tower); len(got) != 1 || floorFaults(tower[1:]) != nil {
		t.Errorf("floors: got %q", got)
	}

	src := "package p\nfunc init() {}\nvar a, b = 1, errors.New(\"b\")\nvar c int\nvar _ I = T{}\nvar ErrX, ErrY = errors.New(\"x\"), fmt.Errorf(\"%w\", ErrX)\nvar m = regexp.MustCompile(\"x\")\n//go:embed f\nvar f []byte\nfunc (T) init() {}\n"
	if got := globalFaults("p.go", []byte(src)); len(got) != 4 {
		t.Errorf("globals: got %q", got)
	}
}

// TestLinterHasTheseRules keeps the linter's import rules equal to the table:
// the linter shows a fault in the editor, the test cannot be switched off.
func TestLinterHasTheseRules(t *testing.T) {
	const file, from, to = ".golangci.yml", "      # generated from arch_rules_test.go\n", "      # end of the generated part\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), from)
	old, tail, ok2 := strings.Cut(rest, to)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks the lines %q and %q", file, from, to)
	}
	switch want := linterRules(); {
	case old == want:
	case *update:
		if err := os.WriteFile(file, []byte(head+from+want+to+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s differs from arch_rules_test.go: go test . -run TestLinterHasTheseRules -update", file)
	}
}

// linterRules is the table as depguard reads it.
func linterRules() string {
	var b strings.Builder
	begin := func(name string, files ...string) {
		fmt.Fprintf(&b, "        %s:\n          list-mode: lax\n          files: [%s]\n", strings.NewReplacer("/", "-", ".", "-").Replace(name), quoted(append(files, "!$test")))
	}
	for _, r := range rooms() {
		begin(strings.TrimPrefix(r.path, "internal/"), "**/"+r.path+"/*.go")
		fmt.Fprintf(&b, "          allow:\n            - %s/%s/\n", module, r.path)
		for _, m := range r.may {
			fmt.Fprintf(&b, "            - %s/%s$\n", module, below(m))
		}
		fmt.Fprintf(&b, "          deny:\n            - {pkg: %s/, desc: %q}\n", module, r.why)
		for _, l := range limits() {
			if slices.Contains(l.never, r.path) {
				fmt.Fprintf(&b, "            - {pkg: %s, desc: %q}\n", l.pkg, l.why)
			}
		}
	}
	for _, l := range limits() {
		if len(l.only) == 0 {
			continue
		}
		files := []string{"$all"}
		for _, r := range l.only {
			files = append(files, "!**/"+r+"/*.go")
		}
		begin("only-"+l.pkg, files...)
		fmt.Fprintf(&b, "          deny:\n            - {pkg: %s, desc: %q}\n", l.pkg, l.why)
	}
	return b.String()
}

// below is the path below the module of a room that another may import.
func below(may string) string {
	if strings.HasPrefix(may, "dev/") {
		return may
	}
	return "internal/" + may
}

func quoted(list []string) string {
	var q []string
	for _, s := range list {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return strings.Join(q, ", ")
}
