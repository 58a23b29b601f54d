package emulator_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// refusals are the functions whose last arguments are verdicts, with the number of those
// before.
var refusals = map[string]int{"imdsError": 2, "wireError": 3, "hostGAError": 3, "gone": 0}

// verdictsOf collects the fixed parts of verdicts from a file of this package, where they are
// named, assigned, appended or given to one of refusals.
func verdictsOf(file *ast.File) []string {
	var found []string
	add := func(values ...ast.Expr) {
		for _, value := range values {
			if text := fixedPart(value); text != "" {
				found = append(found, text)
			}
		}
	}
	named := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return strings.HasPrefix(e.Name, "verdict")
		case *ast.SelectorExpr:
			return e.Sel.Name == "verdicts"
		}
		return false
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if len(n.Values) > 0 && named(n.Names[0]) {
				add(n.Values...)
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if named(left) && len(n.Lhs) == len(n.Rhs) {
					add(n.Rhs[i])
				}
			}
		case *ast.CallExpr:
			name, isIdent := n.Fun.(*ast.Ident)
			if !isIdent {
				break
			}
			before, refuses := refusals[name.Name]
			switch {
			case refuses:
				add(n.Args[min(before, len(n.Args)):]...)
			case name.Name == "append" && named(n.Args[0]):
				add(n.Args[1:]...)
			}
		}
		return true
	})
	return found
}

// fixedPart is the longest text in an expression, between the verbs of a format.
func fixedPart(e ast.Expr) string {
	longest := ""
	ast.Inspect(e, func(n ast.Node) bool {
		if call, isCall := n.(*ast.CallExpr); isCall {
			if f, isIdent := call.Fun.(*ast.Ident); isIdent && f.Name == "contentType" {
				return false // Its own text has the type.
			}
		}
		if literal, isLiteral := n.(*ast.BasicLit); isLiteral && literal.Kind == token.STRING {
			text, _ := strconv.Unquote(literal.Value)
			for _, part := range regexp.MustCompile(`%[a-z]`).Split(text, -1) {
				if part = strings.Trim(part, " :"); len(part) > len(longest) {
					longest = part
				}
			}
		}
		return true
	})
	return longest
}

// TestVerdictsAreDocumented holds the table of docs/scenarios.md against the source: every
// verdict is in it, and nothing else is.
func TestVerdictsAreDocumented(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, verdictsOf(file)...)
	}
	b, err := os.ReadFile("../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "\n## Verdicts\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var documented []string
	for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(table, -1) {
		documented = append(documented, match[1])
	}
	slices.Sort(want)
	slices.Sort(documented)
	if diff := cmp.Diff(slices.Compact(want), documented); diff != "" {
		t.Errorf("- the source, + the table:\n%s", diff)
	}
}
