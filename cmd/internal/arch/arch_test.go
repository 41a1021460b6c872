package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the module's folder, seen from this package.
const root = "../../.."

// source is one Go file that is no test.
type source struct {
	pkg, name string
	*ast.File
	fset *token.FileSet
}

// sources parses every Go file of the module but the tests.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
			strings.Contains(name, "testdata/") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(root, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source{path.Dir(name), name, file, fset})
	}
	if len(all) < 20 {
		t.Fatalf("only %d Go files were found", len(all))
	}
	return all
}

// tracked lists the files of the repository, as far as that can be told without git.
func tracked(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && name != "." && (strings.HasPrefix(e.Name(), ".") && e.Name() != ".ci" || name == "bin" ||
			e.Name() == "runs") {
			return fs.SkipDir
		}
		if e.Type().IsRegular() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func ruleFor(pkg string) (rule, bool) {
	all := rules()
	i := slices.IndexFunc(all, func(r rule) bool { return fits(r.pkg, pkg) })
	if i < 0 {
		return rule{}, false
	}
	return all[i], true
}

func fits(pattern, pkg string) bool {
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

func TestImports(t *testing.T) {
	for _, file := range sources(t) {
		r, ok := ruleFor(file.pkg)
		if !ok {
			t.Errorf("%s: package %s has no rule: decide in cmd/internal/arch/rules_test.go what it may import",
				file.name, file.pkg)
			continue
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if finding := r.check(imported); finding != "" {
				t.Errorf("%s: imports %s: %s", file.fset.Position(spec.Pos()), imported, finding)
			}
		}
	}
}

func (r rule) check(imported string) string {
	if slices.ContainsFunc(isKubernetes, func(prefix string) bool {
		return strings.HasPrefix(imported, prefix)
	}) && !r.kubernetes {
		return "only the clusters and lab/guardrail know Kubernetes and Flagger"
	}
	own, ok := strings.CutPrefix(imported, module)
	if !ok || slices.ContainsFunc(r.imports, func(pattern string) bool { return fits(pattern, own) }) {
		return ""
	}
	return "package " + r.pkg + " stands below it; see cmd/internal/arch/rules_test.go"
}

func TestNevers(t *testing.T) {
	imports := map[string][]string{}
	for _, file := range sources(t) {
		for _, spec := range file.Imports {
			if own, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); ok {
				imports[file.pkg] = append(imports[file.pkg], own)
			}
		}
	}
	for _, n := range nevers() {
		reached := map[string]string{n.pkg: ""}
		for open := []string{n.pkg}; len(open) > 0; open = open[1:] {
			for _, next := range imports[open[0]] {
				if _, seen := reached[next]; !seen {
					reached[next] = open[0]
					open = append(open, next)
				}
			}
		}
		if by, ok := reached[n.never]; ok {
			t.Errorf("%s reaches %s through %s", n.pkg, n.never, by)
		}
	}
}

// TestRulesFindViolations keeps the rules from allowing what they are there to forbid.
func TestRulesFindViolations(t *testing.T) {
	for _, test := range []struct{ pkg, imported string }{
		{"lab/event", "coalmine/lab/run"},
		{"lab/report", "coalmine/lab/cluster"},
		{"tui", "coalmine/lab/cluster/sim"},
		{"lab/scenario", "k8s.io/api/core/v1"},
		{"lab/run", "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"},
		{"lab/cluster/sim", "coalmine/lab/verdict/score"},
		{"loadgen", "coalmine/lab/scenario"},
	} {
		if r, ok := ruleFor(test.pkg); !ok || r.check(test.imported) == "" {
			t.Errorf("%s may import %s", test.pkg, test.imported)
		}
	}
}

// longest is the most lines that a function may have; the house's median is about twelve.
const longest = 60

func TestFunctionsCanBeSeenWhole(t *testing.T) {
	for _, file := range sources(t) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			begin, end := file.fset.Position(f.Pos()), file.fset.Position(f.End())
			if n := end.Line - begin.Line + 1; n > longest {
				t.Errorf("%s:%d: %s has %d lines, over %d", file.name, begin.Line, f.Name.Name, n, longest)
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s:%d: init: make a constructor that takes what it needs", file.name, begin.Line)
			}
		}
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	documented := map[string]bool{}
	for _, file := range sources(t) {
		documented[file.pkg] = documented[file.pkg] || file.Doc.Text() != ""
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment", pkg)
		}
	}
}

// TestNothingOfTheMachine finds paths of the machine on which a file was written. The one of
// Flagger is in its own image.
func TestNothingOfTheMachine(t *testing.T) {
	machine := regexp.MustCompile(`(^|[\s"'=(:])/(home|root|Users|work)/[\w.-]+|C:\\Users\\`)
	for _, name := range tracked(t) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range machine.FindAll(data, -1) {
			if !strings.HasSuffix(string(found), "/home/"+"flagger") {
				t.Errorf("%s: %q is a path of somebody's machine", name, found)
			}
		}
	}
}
