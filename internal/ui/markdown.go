package ui

import (
	"bytes"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// maxMarkdown is the most bytes of a README or of release notes that a page shows. A caller
// shows nothing of a longer README.
const maxMarkdown = 256 << 10

// markdown is the HTML of a text in CommonMark with tables; of a text above maxMarkdown, of
// its beginning. Anyone who may publish may write it, so it brings no HTML of its own, no
// class, no id and no address but http, https and mailto. Images become links, because pages
// load nothing from elsewhere.
//
// The first heading is of the level top, and no level is left out below it. A relative link
// leads to the address that file has for its path, cleaned; if that is "", or file is nil,
// only the link's text stays.
//
// The work is bounded (markdown_limits.go): what exceeds a limit stays text.
func markdown(text []byte, top int, file func(path string) string) template.HTML {
	text = bytes.ToValidUTF8(text[:min(len(text), maxMarkdown)], []byte("\uFFFD"))
	work := &work{left: mostWork}
	table := extension.NewTableHTMLRenderer(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))
	md := goldmark.New(
		goldmark.WithParser(parser.NewParser(
			parser.WithBlockParsers(work.blockParsers()...),
			parser.WithInlineParsers(work.inlineParsers()...),
			parser.WithParagraphTransformers(work.paragraphTransformers()...),
			parser.WithASTTransformers(
				util.Prioritized(extension.NewTableASTTransformer(), 0),
				util.Prioritized(&tame{top: top, file: file, room: maxMarkdown}, 1000)),
		)),
		goldmark.WithRenderer(renderer.NewRenderer(renderer.WithNodeRenderers(
			util.Prioritized(html.NewRenderer(), 1000), util.Prioritized(table, 500)))),
	)
	var page bytes.Buffer
	if err := md.Convert(text, &page); err != nil { // a buffer refuses nothing
		return template.HTML("<pre>" + template.HTMLEscapeString(string(text)) + "</pre>") //nolint:gosec // it is escaped
	}
	return template.HTML(emptyHeads(page.Bytes())) //nolint:gosec // raw HTML and dangerous addresses are dropped, the rest is escaped
}

// emptyHeads makes an ordinary cell of the head of a column that has no words: a reader of
// the screen would announce it. No text of a user has an unescaped "<".
func emptyHeads(page []byte) []byte {
	for _, align := range []string{"", ` align="left"`, ` align="center"`, ` align="right"`} {
		page = bytes.ReplaceAll(page, []byte("<th"+align+"></th>"), []byte("<td></td>"))
	}
	return page
}
