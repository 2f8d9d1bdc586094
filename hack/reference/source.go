// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// group is the constants of one declaration.
type group struct {
	doc       string
	constants []constant
}

// constant is one string constant, its value and its comment in one line, without the name that it begins with.
type constant struct{ name, value, doc string }

// readConstants reads the groups of string constants of a file, in their order.
func readConstants(path string) ([]group, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("read constants: %w", err)
	}
	var groups []group
	values := map[string]string{}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		g := group{doc: oneLine(decl.Doc.Text())}
		for _, s := range decl.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
				continue
			}
			name := spec.Names[0].Name
			value, ok := valueOf(spec.Values[0], values)
			if !ok {
				continue
			}
			values[name] = value
			doc := spec.Doc.Text()
			if doc == "" && len(decl.Specs) == 1 {
				doc = decl.Doc.Text()
			}
			g.constants = append(g.constants, constant{name, value, withoutName(oneLine(doc), name)})
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// valueOf is the value of a string literal, or of a constant that came before.
func valueOf(e ast.Expr, known map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.Ident:
		value, ok := known[e.Name]
		return value, ok
	case *ast.BasicLit:
		value, err := strconv.Unquote(e.Value)
		return value, err == nil && e.Kind == token.STRING
	}
	return "", false
}

// withoutName takes "Name: does x" and "Name is x" to a sentence without the name.
func withoutName(doc, name string) string {
	rest, found := strings.CutPrefix(doc, name)
	if !found {
		return doc
	}
	rest = strings.TrimLeft(rest, ": ")
	for _, verb := range []string{"is ", "are "} {
		rest = strings.TrimPrefix(rest, verb)
	}
	return upperFirst(rest)
}

// readPackageConstants reads, from all files of a package but its tests, the string constants whose names have a prefix,
// sorted by value.
func readPackageConstants(dir, prefix string) ([]constant, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var out []constant
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		groups, err := readConstants(f)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			for _, c := range g.constants {
				if strings.HasPrefix(c.name, prefix) {
					out = append(out, c)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b constant) int { return strings.Compare(a.value, b.value) })
	return out, nil
}

// metric is one that the operator exports for each bridge.
type metric struct {
	name, help string
	labels     []string
}

// readMetrics reads the calls of bridgeDesc.
func readMetrics(path string) (metrics []metric, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "bridgeDesc" {
			return true
		}
		var args []string
		for _, a := range call.Args {
			value, ok := valueOf(a, nil)
			if !ok {
				err = fmt.Errorf("read metrics: an argument of bridgeDesc is no string")
				return false
			}
			args = append(args, value)
		}
		metrics = append(metrics, metric{"feedbackbridge_" + args[0], args[1], append([]string{"namespace", "name"}, args[2:]...)})
		return true
	})
	return metrics, err
}
