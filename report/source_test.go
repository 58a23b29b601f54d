package report_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/azprov/azprov/report"
)

// unknowable are the reasons in the source that consist of nothing but another value,
// with the reason why none is missed for it.
var unknowable = map[string]string{
	"imds/errors.go: document.Reason":                     "one that a parser has set",
	"imds/errors.go: reasonOf()":                          "it returns one of the table of reasons",
	"internal/xmldoc/parse.go: o.Reason + \": \" + ...":   "the parser's caller gives what stands before the colon",
	"examples/azprov/report.go: azprov.OneLine()":         "the user's own, of the command line",
	"examples/azprov/exit.go: reason":                     "it prints one that an error has",
	"examples/azprov/explain.go: r.Reason":                "it prints one that a report has",
	"examples/azprov/explain.go: e.Text":                  "it prints the catalogue's",
	"examples/azprov/explain.go: reason":                  "it prints the one that was asked for",
	"examples/azprov/report_journal.go: azprov.OneLine()": "the user's own, of the command line",
	"examples/azure-init/app.go: azprov.OneLine()":        "the user's own, of the command line",
	"examples/azure-init/setup.go: reason":                "a step's own of the table, or one that an error has",
}

// TestEveryReasonIsInTheCatalogue reads the source of the whole module: each text that is
// given to a field Reason, and each constant or table that is named for reasons.
func TestEveryReasonIsInTheCatalogue(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	unused := maps.Clone(unknowable)
	for dir, files := range sources(t) {
		p := reader{constants: constants(files)}
		for name, file := range files {
			for _, expr := range reasons(file) {
				text, literal := p.text(expr)
				if !literal {
					key := name + ": " + p.describe(expr)
					if _, ok := unknowable[key]; !ok {
						t.Errorf("%s: it cannot be told which reason this is", key)
					}
					delete(unused, key)
					continue
				}
				found[text] = true
				if _, ok := report.Lookup(text); !ok {
					t.Errorf("%s: the reason %q of %s is not in the catalogue", name, text, dir)
				}
			}
		}
	}
	for key := range unused {
		t.Errorf("%s: no longer in the source", key)
	}
	// What the test must see, or else it sees nothing any more: a literal, a constant, a
	// table, a sum, an assignment.
	for _, text := range []string{
		"failure to identify Azure VM ID", "error parsing IMDS metadata", "read timeout querying IMDS", "connection timeout querying IMDS",
		"unsupported password length=7 max=7", "error waiting for host shutdown", "http error 7 querying IMDS", "error parsing ovf-env.xml",
	} {
		if !found[text] {
			t.Errorf("%q is not found in the source", text)
		}
	}
}

// sources parses the module's files that are neither tests nor this package, by directory
// and by path from the module's root.
func sources(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	all := map[string]map[string]*ast.File{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || name == "report" || base != ".." && strings.HasPrefix(base, ".") || nested(path) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		if all[dir] == nil {
			all[dir] = map[string]*ast.File{}
		}
		all[dir][name] = file
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// nested reports whether a module of its own is there.
func nested(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil && dir != ".."
}

// constants are a package's, and its variables, by name.
func constants(files map[string]*ast.File) map[string]ast.Expr {
	values := map[string]ast.Expr{}
	for _, file := range files {
		for _, decl := range file.Decls {
			specs, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range specs.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok || len(value.Values) != len(value.Names) {
					continue
				}
				for i, name := range value.Names {
					values[name.Name] = value.Values[i]
				}
			}
		}
	}
	return values
}

// reasons are the expressions of a file that are one.
func reasons(file *ast.File) []ast.Expr {
	var found []ast.Expr
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Reason" {
				found = append(found, n.Value)
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if field, ok := left.(*ast.SelectorExpr); ok && field.Sel.Name == "Reason" {
					found = append(found, n.Rhs[i])
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if isNamed(name.Name) && i < len(n.Values) {
					found = append(found, elements(n.Values[i])...)
				}
			}
		case *ast.FuncDecl:
			if isNamed(n.Name.Name) {
				found = append(found, returned(n)...)
			}
		}
		return true
	})
	return found
}

// isNamed reports whether a name is that of a reason, or of a table of them.
func isNamed(name string) bool {
	rest, ok := strings.CutPrefix(name, "reason")
	return ok && (rest == "s" || rest != "" && strings.ToUpper(rest[:1]) == rest[:1])
}

// elements are the values of a table, or the expression itself.
func elements(expr ast.Expr) []ast.Expr {
	table, ok := expr.(*ast.CompositeLit)
	if !ok {
		return []ast.Expr{expr}
	}
	var values []ast.Expr
	for _, e := range table.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			e = pair.Value
		}
		values = append(values, e)
	}
	return values
}

// returned are the string literals that a function returns.
func returned(f *ast.FuncDecl) []ast.Expr {
	var values []ast.Expr
	ast.Inspect(f, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			for _, value := range r.Results {
				if lit, ok := value.(*ast.BasicLit); ok && lit.Kind == token.STRING && lit.Value != `""` {
					values = append(values, value)
				}
			}
		}
		return true
	})
	return values
}

// reader evaluates expressions of one package.
type reader struct{ constants map[string]ast.Expr }

// text is an expression's value, with 7 for what only a run could tell; literal is false
// if there are no words in it.
func (r reader) text(expr ast.Expr) (text string, literal bool) {
	switch e := expr.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && strings.ContainsFunc(s, func(r rune) bool { return 'a' <= r && r <= 'z' })
	case *ast.BinaryExpr:
		left, a := r.text(e.X)
		right, b := r.text(e.Y)
		return left + right, a || b
	case *ast.Ident:
		if value, ok := r.constants[e.Name]; ok {
			return r.text(value)
		}
	}
	return "7", false
}

func (r reader) describe(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.BasicLit:
		return e.Value
	case *ast.SelectorExpr:
		return r.describe(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return r.describe(e.Fun) + "()"
	case *ast.BinaryExpr:
		if left, ok := e.X.(*ast.BinaryExpr); ok {
			return r.describe(left) + " + ..."
		}
		return r.describe(e.X) + " + " + r.describe(e.Y)
	default:
		return "?"
	}
}

// TestEvaluation keeps the test of the source honest, on an invented file.
func TestEvaluation(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "pilot.go", `package pilot
const reasonSunk = "the " + ship + " has sunk"
const ship = "jetty-07"
var reasons = map[int]string{1: "storm", 2: "fog"}
var reasonable = "not one"
func reasonOf(n int) string { if n == 0 { return "" }; return "ice" }
var _ = E{Reason: "rust " + f()}
func g(e *E, o E) { e.Reason = o.Reason; e.Other, e.Reason = "no", "worm" }
`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	r := reader{constants: constants(map[string]*ast.File{"": file})}
	var got []string
	for _, expr := range reasons(file) {
		text, literal := r.text(expr)
		if !literal {
			text = "? " + r.describe(expr)
		}
		got = append(got, text)
	}
	want := []string{"the jetty-07 has sunk", "storm", "fog", "ice", "rust 7", "? o.Reason", "worm"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
