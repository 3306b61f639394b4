package ui

import (
	"html/template"
	"maps"
)

// functions are what templates may call.
func (s *Server) functions() template.FuncMap {
	all := words(s.Now)
	maps.Copy(all, template.FuncMap{
		"asset": func(name string) (string, error) { return s.assets.path(name) },
		"field": newField,
		"curl":  curlOf,
		"rows":  func(kind string, rows []treeRow) treePage { return treePage{Kind: kind, Rows: rows} },
		"deref": func(b *bool) bool { return b != nil && *b },
		"code":  func(label, text string) code { return code{label, text} },
	})
	return all
}

// code is commands to copy, for the template of the same name.
type code struct{ Label, Text string }
