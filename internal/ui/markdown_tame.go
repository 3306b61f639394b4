package ui

import (
	"bytes"
	"net/url"
	"path"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// tame changes a parsed text so that it fits into a page: see markdown.
type tame struct {
	top    int // the level of the first heading
	file   func(path string) string
	room   int   // bytes left for addresses: references can repeat a long one
	levels []int // of the headings above the present one, as written
}

// Transform changes the tree in place.
func (m *tame) Transform(doc *ast.Document, reader text.Reader, _ parser.Context) {
	m.visit(doc, reader.Source(), false)
}

// visit changes a node and what is below it, and reports whether a reader sees words there.
// It does so in one pass, because trees may be deep.
func (m *tame) visit(n ast.Node, source []byte, inLink bool) (words bool) {
	link, image := n.Kind() == ast.KindLink, n.Kind() == ast.KindImage
	for c := n.FirstChild(); c != nil; {
		next := c.NextSibling() // c may go
		words = m.visit(c, source, inLink || link || image) || words
		c = next
	}
	switch n := n.(type) {
	case *ast.Text:
		return len(bytes.TrimSpace(n.Segment.Value(source))) > 0
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		return true
	case *ast.HTMLBlock, *ast.RawHTML:
		n.Parent().RemoveChild(n.Parent(), n)
	case *ast.Heading:
		m.heading(n, words)
	case *ast.Image:
		m.link(n, n.Destination, n.Title, words, inLink)
		return true
	case *ast.Link:
		m.link(n, n.Destination, n.Title, words, inLink)
		return true
	case *ast.AutoLink:
		m.autoLink(n, source, inLink)
		return true
	}
	return words
}

// heading gives a heading a level that leaves none out. One without words goes.
func (m *tame) heading(h *ast.Heading, words bool) {
	if !words {
		h.Parent().RemoveChild(h.Parent(), h)
		return
	}
	for len(m.levels) > 0 && m.levels[len(m.levels)-1] >= h.Level {
		m.levels = m.levels[:len(m.levels)-1]
	}
	m.levels = append(m.levels, h.Level)
	h.Level = min(m.top+len(m.levels)-1, 6)
}

// link makes a link of a link or an image, or within a link or without an address its text.
// What has no words shows where it leads.
func (m *tame) link(n ast.Node, to, title []byte, words, inLink bool) {
	if !words {
		n.AppendChild(n, literal(to))
	}
	address := m.address(to)
	m.room -= len(address) + len(title)
	parent := n.Parent()
	if !inLink && address != nil && m.room >= 0 {
		link := ast.NewLink()
		link.Destination, link.Title = address, title
		link.SetAttributeString("rel", []byte(rel))
		parent.InsertBefore(parent, n, link)
		for n.HasChildren() {
			link.AppendChild(link, n.FirstChild())
		}
	}
	for n.HasChildren() {
		parent.InsertBefore(parent, n, n.FirstChild())
	}
	parent.RemoveChild(parent, n)
}

func (m *tame) autoLink(n *ast.AutoLink, source []byte, inLink bool) {
	if inLink || n.AutoLinkType == ast.AutoLinkURL && !isElsewhere(n.URL(source)) {
		n.Parent().ReplaceChild(n.Parent(), n, literal(n.Label(source)))
		return
	}
	n.SetAttributeString("rel", []byte(rel))
}

// rel keeps the page that is left, and its address, from the one that is opened.
const rel = "nofollow noopener noreferrer"

// literal is text in which nothing is Markdown.
func literal(words []byte) *ast.String {
	s := ast.NewString(words)
	s.SetRaw(true)
	return s
}

// address is where a link may lead, as Markdown writes it; nil if it may lead nowhere.
func (m *tame) address(written []byte) []byte {
	to := util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(written)))
	if isElsewhere(to) {
		return written
	}
	u, err := url.Parse(string(to))
	if m.file == nil || err != nil || u.Scheme != "" || u.Host != "" || u.Path == "" || u.Path[0] == '/' {
		return nil
	}
	clean := path.Clean(u.Path)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return nil
	}
	if address := m.file(clean); address != "" {
		return util.EscapeHTML([]byte(address)) // the renderer resolves entities
	}
	return nil
}

// isElsewhere reports whether the address is of a scheme that a link may have.
func isElsewhere(address []byte) bool {
	for _, scheme := range []string{"http://", "https://", "mailto:"} {
		if len(address) > len(scheme) && strings.EqualFold(string(address[:len(scheme)]), scheme) {
			return true
		}
	}
	return false
}
