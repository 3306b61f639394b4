package ui

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func TestMarkdown(t *testing.T) {
	file := func(path string) string {
		return map[string]string{"LICENSE": "/files/1", "docs/a b.md": "/files/2?x=1&copy=2"}[path]
	}
	const rel = ` rel="nofollow noopener noreferrer"`
	for _, tc := range []struct{ name, text, want string }{
		{"paragraphs", "a\n\n*b* `c`", "<p>a</p>\n<p><em>b</em> <code>c</code></p>\n"},
		{"markup of its own", "a <b onclick='x'>b</b>\n\n<script>alert(1)</script>\n\n<div>\nc\n</div>", "<p>a b</p>\n"},
		{"what looks like markup", "`<b>` &lt;b&gt; 1 < 2", "<p><code>&lt;b&gt;</code> &lt;b&gt; 1 &lt; 2</p>\n"},

		{"headings", "# a\n## b\n# c\n#### d\n## e", "<h3>a</h3>\n<h4>b</h4>\n<h3>c</h3>\n<h4>d</h4>\n<h4>e</h4>\n"},
		{"headings that begin low", "### a\n# b\n## c", "<h3>a</h3>\n<h3>b</h3>\n<h4>c</h4>\n"},
		{"deep headings", "# a\n## b\n### c\n#### d\n##### e\n###### f", "<h3>a</h3>\n<h4>b</h4>\n<h5>c</h5>\n<h6>d</h6>\n<h6>e</h6>\n<h6>f</h6>\n"},
		{"headings without words", "#\n# <b></b>\n# a", "<h3>a</h3>\n"},
		{"no ids", "# main\n# said {#q .btn}", "<h3>main</h3>\n<h3>said {#q .btn}</h3>\n"},

		{"link", "[a](https://example.com 'b')", `<p><a href="https://example.com" title="b"` + rel + ">a</a></p>\n"},
		{"addresses as they are", "<https://example.com> <a@example.com>", `<p><a href="https://example.com"` + rel + `>https://example.com</a> <a href="mailto:a@example.com"` + rel + ">a@example.com</a></p>\n"},
		{"link without words", "[](https://example.com/*)", `<p><a href="https://example.com/*"` + rel + ">https://example.com/*</a></p>\n"},
		{"other schemes", "[a](javascript:x) [b](&#106;avascript:x) [c](data:text/html,x) [d](vbscript:x) [e](ftp://x) <irc://x> [f](java\\script:x)", "<p>a b c d e irc://x f</p>\n"},
		{"own pages", "[a](/-/sign_out) [b](//evil.example) [c](#main) [d](?delete) [e](\\\\evil.example)", "<p>a b c d e</p>\n"},
		{"files", "[a](LICENSE) [b](./docs/a%20b.md#top) [c](docs/../LICENSE) [d](../LICENSE) [e](none) ![](LICENSE)",
			`<p><a href="/files/1"` + rel + `>a</a> <a href="/files/2?x=1&amp;copy=2"` + rel + `>b</a> <a href="/files/1"` + rel + `>c</a> d e <a href="/files/1"` + rel + ">LICENSE</a></p>\n"},

		{"image", "![a](https://example.com/x.png)", `<p><a href="https://example.com/x.png"` + rel + ">a</a></p>\n"},
		{"badge", "[![a](https://b.example/x.svg)](https://c.example)", `<p><a href="https://c.example"` + rel + ">a</a></p>\n"},
		{"links in links", "![[a](https://b.example)](https://c.example) [d <https://e.example>](https://f.example)",
			`<p><a href="https://c.example"` + rel + `>a</a> <a href="https://f.example"` + rel + ">d https://e.example</a></p>\n"},

		{"table", "| a | |\n|--:|:-:|\n| b | c |",
			"<table>\n<thead>\n<tr>\n<th align=\"right\">a</th>\n<td></td>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td align=\"right\">b</td>\n<td align=\"center\">c</td>\n</tr>\n</tbody>\n</table>\n"},
		{"not UTF-8", "a\xffb\x00c", "<p>a\uFFFDb\uFFFDc</p>\n"},
		{"nothing", "", ""},
	} {
		if got := string(markdown([]byte(tc.text), 3, file)); got != tc.want {
			t.Errorf("%s: %q\n got %s\nwant %s", tc.name, tc.text, got, tc.want)
		}
	}
	if got := string(markdown([]byte("[a](LICENSE)"), 3, nil)); got != "<p>a</p>\n" {
		t.Errorf("without files: %s", got)
	}
}

// hostile are texts that take a parser without limits seconds to minutes, or gigabytes.
func hostile() map[string]string {
	rep := func(s string) string { return strings.Repeat(s, maxMarkdown/len(s)) }
	all := map[string]string{
		"wide table":   "|" + rep("a|")[:maxMarkdown/4] + "\n|" + rep("-|")[:maxMarkdown/4] + "\n" + rep("a\n")[:maxMarkdown/2],
		"long address": "[a]: /" + rep("x")[:maxMarkdown/2] + "\n\n" + rep("[a] ")[:maxMarkdown/2],
		"long title":   "[a]: http://x '" + rep("x")[:maxMarkdown/2] + "'\n\n" + rep("[a] ")[:maxMarkdown/2],
		"emphasis":     rep("*a **a ")[:maxMarkdown/2] + rep("a** a* ")[:maxMarkdown/2],
	}
	for _, s := range []string{
		">", "> ", "- ", "+ ", "1. ", "> - ", "[", "![", "[a](", "![a](", "[a](<b", "[a](b \"", "[a]: b\n", "[a]:\n", "[a]: b 'c\n", "[a][b]", "[[a]]", "[]()", "[^", "![![a](b)](c)",
		"*", "*a ", "**x*", "*_", "***a ", "a*", "*é", "*[a](b)*", "`", "`a``b", "<", "<a ", "<a b='", "<!--", "<?", "&", "&#", "\\", "|", "|a|\n|-|\n",
		"#\n", "# a\n", "=\n", "a\n=\n", "-\n", "- a\n", "- - a\n", "1. a\n", "> a\n", "```\n", "~~~", "<div>\n", "\n", "\t", "a  \n", "\x00", "\xff", "<http://a>", "a|b\n",
	} {
		all[s] = rep(s)
	}
	var ticks, nested strings.Builder
	for i := 1; ticks.Len() < maxMarkdown; i++ {
		ticks.WriteString(strings.Repeat("`", i) + "a ")
		nested.WriteString(strings.Repeat("  ", i%500) + "- a\n")
	}
	all["backticks"], all["nested lists"] = ticks.String(), nested.String()
	return all
}

// No text takes more than a multiple of what the longest ordinary one takes, and its HTML
// is no more than some times as long.
func TestMarkdownIsBounded(t *testing.T) {
	ordinary := strings.Repeat("# a\n\nb *c* [d](https://example.com) `e`\n\n- f\n- g\n\n| h | i |\n|---|---|\n| j | k |\n\n", maxMarkdown/90)
	start := time.Now()
	markdown([]byte(ordinary), 3, nil)
	budget := 40 * max(time.Since(start), 50*time.Millisecond)
	for name, text := range hostile() {
		done := make(chan int, 1)
		start := time.Now()
		go func() { done <- len(markdown([]byte(text), 3, nil)) }()
		select {
		case n := <-done:
			if n > 10*maxMarkdown {
				t.Errorf("%q: %d bytes of HTML", name, n)
			}
			if d := time.Since(start); d > budget/20 {
				t.Logf("%q: %v", name, d)
			}
		case <-time.After(budget):
			t.Fatalf("%q: not done after %v", name, budget)
		}
	}
}

// Many links and long tables of honest texts are within the limits.
func TestMarkdownOfHonestLength(t *testing.T) {
	var list, table, changes strings.Builder
	table.WriteString("| a | b | c | d |\n|---|---|---|---|\n")
	for i := range 1000 {
		fmt.Fprintf(&list, "- [name %d](https://example.com/%d) - what it does, in a sentence of some length\n", i, i)
		fmt.Fprintf(&table, "| %d | [x](https://example.com) | y | z |\n", i)
		if i < 300 {
			fmt.Fprintf(&changes, "[1.%d.0]: https://git.example.com/acme/tools/-/compare/v1.%d.0...v1.%d.0\n", i, i, i+1)
		}
	}
	text := list.String() + "\n" + table.String() + "\n## [1.7.0]\n\n" + changes.String()
	html := string(markdown([]byte(text), 3, nil))
	if links, rows := strings.Count(html, "<a "), strings.Count(html, "<tr>"); links != 2001 || rows != 1001 {
		t.Errorf("%d links, %d rows", links, rows)
	}
}

// FuzzMarkdown: whatever is written, the HTML has only what a page may have.
func FuzzMarkdown(f *testing.F) {
	for name, text := range hostile() {
		f.Add(name)
		f.Add(text[:200])
	}
	f.Add("[a](javascript:x) <b id='main' style='x'>\n<!-- -->\n# [![x](y)](data:z)")
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		page := string(markdown([]byte(text), 3, func(path string) string { return "/files/" + path }))
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("%v", d)
		}
		if fault := strange(page); fault != "" {
			t.Fatalf("%s in %q", fault, page)
		}
	})
}

// strange is what the HTML has and may not have, or "".
func strange(page string) string {
	tags := strings.Fields("p h3 h4 h5 h6 em strong code pre a ul ol li blockquote hr br table thead tbody tr th td")
	address := regexp.MustCompile(`^(?i:https?://|mailto:|/files/)`)
	level, inLink := 2, false
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		kind := z.Next()
		token := z.Token()
		switch kind {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				return z.Err().Error()
			}
			return ""
		case html.CommentToken, html.DoctypeToken:
			return token.String()
		case html.EndTagToken:
			inLink = inLink && token.Data != "a"
		case html.StartTagToken, html.SelfClosingTagToken:
			if !slices.Contains(tags, token.Data) || inLink && token.Data == "a" {
				return token.String()
			}
			inLink = inLink || token.Data == "a"
			if len(token.Data) == 2 && token.Data[0] == 'h' && token.Data != "hr" {
				if now := int(token.Data[1] - '0'); now > level+1 {
					return "a level left out before " + token.String()
				} else {
					level = now
				}
			}
			for _, a := range token.Attr {
				switch what := token.Data + " " + a.Key; {
				case what == "a href" && address.MatchString(a.Val), what == "a rel" && a.Val == "nofollow noopener noreferrer", what == "a title",
					what == "ol start", what == "td align", what == "th align", what == "code class" && strings.HasPrefix(a.Val, "language-"):
				default:
					return token.String()
				}
			}
		}
	}
}
