package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// comments holds the doc comments of types and fields, by package, type and field.
type comments map[[3]string]string

// of returns the comment of a field, or of the type for field "".
func (c comments) of(t reflect.Type, field string) string {
	pkg := t.PkgPath()
	return c[[3]string{pkg[strings.LastIndex(pkg, "/")+1:], t.Name(), field}]
}

// readComments reads the comments of the wire types' packages. Root is the folder of the module.
func readComments(root string) (comments, error) {
	c := comments{}
	for _, dir := range []string{"lab/scenario/v1alpha1", "lab/service", "loadgen", "lab/guardrail/mapping",
		"lab/teaching/quiz"} {
		if err := c.read(filepath.Join(root, dir)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c comments) read(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return err
		}
		c.addFile(file)
	}
	return nil
}

func (c comments) addFile(file *ast.File) {
	for _, decl := range file.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			spec := spec.(*ast.TypeSpec)
			if s, ok := spec.Type.(*ast.StructType); ok {
				c.addStruct(file.Name.Name, spec.Name.Name, types.Doc, s)
			}
		}
	}
}

func (c comments) addStruct(pkg, name string, doc *ast.CommentGroup, s *ast.StructType) {
	c[[3]string{pkg, name, ""}] = oneLine(doc.Text())
	for _, field := range s.Fields.List {
		text := field.Doc.Text()
		if text == "" {
			text = field.Comment.Text()
		}
		for _, n := range field.Names {
			c[[3]string{pkg, name, n.Name}] = oneLine(text)
		}
	}
}

// oneLine removes line breaks and the brackets of doc links.
func oneLine(text string) string {
	link := regexp.MustCompile(`\[([A-Z]\w*(?:\.\w+)*)\]`)
	return link.ReplaceAllString(strings.Join(strings.Fields(text), " "), "$1")
}
