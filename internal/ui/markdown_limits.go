package ui

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Limits of one text. Without them 256 KiB can take minutes or gigabytes: some steps of the
// parser take the square of a block's length.
const (
	mostNesting = 50       // quotes and lists within each other
	mostWork    = 64 << 20 // bytes read again, about 0.1 s
	cellWork    = 512      // what a cell of a table costs, in the same unit
)

// work is what the parser may still do for one text.
type work struct{ left int }

// spend reports whether so much may be done.
func (w *work) spend(n int) bool {
	if n > w.left {
		return false
	}
	w.left -= n
	return true
}

func (w *work) blockParsers() []util.PrioritizedValue {
	return []util.PrioritizedValue{
		util.Prioritized(parser.NewSetextHeadingParser(), 100),
		util.Prioritized(parser.NewThematicBreakParser(), 200),
		util.Prioritized(shallow{parser.NewListParser()}, 300),
		util.Prioritized(parser.NewListItemParser(), 400),
		util.Prioritized(parser.NewCodeBlockParser(), 500),
		util.Prioritized(parser.NewATXHeadingParser(), 600),
		util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
		util.Prioritized(shallow{parser.NewBlockquoteParser()}, 800),
		util.Prioritized(parser.NewHTMLBlockParser(), 900),
		util.Prioritized(parser.NewParagraphParser(), 1000),
	}
}

func (w *work) inlineParsers() []util.PrioritizedValue {
	return []util.PrioritizedValue{
		util.Prioritized(parser.NewCodeSpanParser(), 100),
		util.Prioritized(links{parser.NewLinkParser(), w}, 200),
		util.Prioritized(parser.NewAutoLinkParser(), 300),
		util.Prioritized(parser.NewRawHTMLParser(), 400),
		util.Prioritized(parser.NewEmphasisParser(), 500),
	}
}

func (w *work) paragraphTransformers() []util.PrioritizedValue {
	return []util.PrioritizedValue{
		util.Prioritized(paragraphs{parser.LinkReferenceParagraphTransformer, w, referenceWork}, 100),
		util.Prioritized(paragraphs{extension.NewTableParagraphTransformer(), w, tableWork}, 200),
	}
}

// shallow opens no container within too many others.
type shallow struct{ parser.BlockParser }

func (s shallow) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	if len(pc.OpenedBlocks()) > 2*mostNesting { // a list and its item are two
		return nil, parser.NoChildren
	}
	return s.BlockParser.Open(parent, reader, pc)
}

// links charges each end of a link's text with the length of its block: the search for the
// link's address may read all of it.
type links struct {
	parser.InlineParser
	work *work
}

func (l links) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	cost := 1
	if block.Peek() == ']' {
		cost = length(parent)
	}
	if !l.work.spend(cost) {
		l.work.left = 0 // the texts of further links are not begun either
		return nil
	}
	return l.InlineParser.Parse(parent, block, pc)
}

// CloseBlock makes text of what looked like a link.
func (l links) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	if inner, ok := l.InlineParser.(parser.CloseBlocker); ok {
		inner.CloseBlock(parent, block, pc)
	}
}

// length is the number of bytes of a block.
func length(n ast.Node) int {
	for n != nil && n.Type() == ast.TypeInline {
		n = n.Parent()
	}
	if n == nil || n.Lines() == nil || n.Lines().Len() == 0 {
		return 1
	}
	return n.Lines().At(n.Lines().Len()-1).Stop - n.Lines().At(0).Start
}

// paragraphs makes something else of a paragraph, if its cost may be spent.
type paragraphs struct {
	parser.ParagraphTransformer
	work *work
	cost func(n *ast.Paragraph, source []byte) int
}

func (p paragraphs) Transform(n *ast.Paragraph, reader text.Reader, pc parser.Context) {
	if p.work.spend(p.cost(n, reader.Source())) {
		p.ParagraphTransformer.Transform(n, reader, pc)
	}
}

// referenceWork: each line may be a definition, for which the lines behind it are copied.
func referenceWork(n *ast.Paragraph, source []byte) int {
	if first := n.Lines().At(0); !bytes.HasPrefix(bytes.TrimLeft(first.Value(source), " "), []byte("[")) {
		return 1
	}
	return n.Lines().Len() * length(n)
}

// tableWork: a row has as many cells as the head.
func tableWork(n *ast.Paragraph, source []byte) int {
	columns := 0
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		if value := line.Value(source); len(bytes.Trim(value, "|-: \t\r\n")) == 0 {
			columns = max(columns, bytes.Count(value, []byte("|"))+1)
		}
	}
	return columns * n.Lines().Len() * cellWork
}
