package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// drop drops files from the disk in the middle of what a CSS selector finds.
func (p *tab) drop(selector string, files ...string) {
	p.t.Helper()
	at := value(p, chromedp.Evaluate[[]float64](`(() => { const e = document.querySelector("`+selector+`"); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`))
	for _, event := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		p.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
			_, err := chromedp.Call(ctx, input.DispatchDragEvent, input.DispatchDragEventParams{
				Type: event, X: at[0], Y: at[1], Data: &input.DragData{Files: files, DragOperationsMask: 1},
			})
			return chromedp.Void{}, err
		})
	}
}

// published fails the test unless the server has the file with these bytes.
func published(t *testing.T, server, path, content string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server+"/api/v4/projects/root%2Fdemo/packages/generic/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", ciToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	want := sha256.Sum256([]byte(content))
	if got := resp.Header.Get("X-Checksum-SHA256"); got != hex.EncodeToString(want[:]) {
		t.Errorf("%s: %s, SHA-256 %q, want %x", path, resp.Status, got, want)
	}
}

// TestPagesUpload: a new version is published from a browser: files are dropped, or one is
// sent by a plain form.
func TestPagesUpload(t *testing.T) {
	server := startServer(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	large := strings.Repeat("0123456789abcdef", 5<<16) // more than a slice
	in := `!!document.querySelector("nav.who .face")`
	t.Run("by drop", func(t *testing.T) {
		p := newTab(t, server)
		p.open("/-/sign_in?to=/root/demo/-/packages/new")
		p.signIn(ciToken)
		p.until(in + ` && !!document.querySelector("form[data-new]")`)
		p.drop(".drop", file("sonde_2.4.1_linux_amd64.tar.gz", large), file("checksums.txt", "x"))
		p.until(`document.querySelector("[name=name]").value == "sonde" && document.querySelector("[name=version]").value == "2.4.1"`)
		p.click("form[data-new] button.go")
		p.until(`location.pathname == "/root/demo/-/packages/generic/sonde/2.4.1"`)
		published(t, server, "sonde/2.4.1/sonde_2.4.1_linux_amd64.tar.gz", large)
		published(t, server, "sonde/2.4.1/checksums.txt", "x")
	})
	t.Run("without scripts", func(t *testing.T) {
		p := newTab(t, server)
		p.withoutScripts()
		p.open("/-/sign_in?to=/root/demo/-/packages/new")
		p.signIn(ciToken)
		p.until(in + ` && !!document.querySelector("form[data-new]")`)
		p.do(chromedp.SetValue(chromedp.CSS("[name=name]"), "plain"), chromedp.SetValue(chromedp.CSS("[name=version]"), "1.0.0"),
			chromedp.SetUploadFiles(chromedp.CSS("form[data-new] [type=file]"), []string{file("plain.bin", large)}))
		p.click("form[data-new] button.go")
		p.until(`location.pathname == "/root/demo/-/packages/generic/plain/1.0.0"`)
		published(t, server, "plain/1.0.0/plain.bin", large)
	})
}
