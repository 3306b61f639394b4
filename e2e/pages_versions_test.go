package e2e_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

const sonde = "/root/demo/-/packages/generic/sonde"

// TestPagesVersion: what a maintainer does to a version on its page.
func TestPagesVersion(t *testing.T) {
	api, p := newJourney(t)
	api.put("sonde/1.0.0/f", "one")
	api.put("sonde/2.0.0/f?status=draft", "two")
	p.part("a draft is made final", func(t *testing.T) { finalised(t, api, p) })
	p.part("a channel is moved", func(t *testing.T) { channelMoved(t, api, p) })
	p.part("yanked, deprecated, hidden, and back", func(t *testing.T) { thereAndBack(t, api, p) })
}

func finalised(t *testing.T, api *ciProject, p *tab) {
	p.open(sonde + "/2.0.0")
	p.sees("A draft: only those who may publish here see it")
	p.inspect("version-draft")
	p.press("Finalise")
	p.sees("The version is final")
	if p.has(".drop") || p.has("h1 .tag.warn") || !p.has("h1 .tag.leaf") {
		t.Error("the final version is called a draft, is not the latest, or takes files")
	}
	if status := api.file("sonde/latest/f"); status != "200" {
		t.Errorf("the latest version answers %s", status)
	}
}

func channelMoved(t *testing.T, api *ciProject, p *tab) {
	for _, version := range []string{"1.0.0", "2.0.0"} {
		p.open(sonde + "/" + version)
		p.fill("channel", "stable")
		p.press("Set channel")
		p.sees("The channel is set")
		p.open(sonde)
		if led := p.texts("[aria-labelledby=h-c] .facts dd"); len(led) != 1 || led[0] != version {
			t.Errorf("the package shows the channel at %q, want %s", led, version)
		}
	}
	p.inspect("package-channel")
	p.open("/root/demo")
	p.sees("stable 2.0.0")
	p.open(sonde + "/2.0.0")
	p.fill("channel", "not a name")
	p.press("Set channel")
	p.until(`document.title.startsWith("Refused") && !!document.querySelector(".note.bad, .why")`)
	p.inspect("version-refused")
	p.open(sonde + "/2.0.0")
	p.press("Remove the channel stable")
	p.sees("Removed.")
}

func thereAndBack(t *testing.T, api *ciProject, p *tab) {
	for _, step := range []struct{ field, text, button, says, back, gone string }{
		{"reason", "crashes", "Yank", "Yanked just now: crashes", "Take the yank back", ".tag.bad"},
		{"message", "use 3.0", "Deprecate", "Deprecated: use 3.0", "No longer deprecated", "h1 .tag.warn"},
		{"", "", "Hide from lists", "Saved.", "Show in lists", "h1 .tag:not(.leaf)"},
	} {
		p.open(sonde + "/2.0.0")
		p.press("Yank, deprecate or hide")
		if step.field != "" {
			p.fill(step.field, step.text)
		}
		p.press(step.button)
		p.sees(step.says)
		if !p.has(step.gone) || api.file("sonde/2.0.0/f") != "200" {
			t.Errorf("%s: the page does not say it, or the version cannot be downloaded", step.button)
		}
		p.inspect("version-" + step.button)
		p.press("Yank, deprecate or hide")
		p.press(step.back)
		p.until(`document.readyState == "complete" && location.search.startsWith("?done=") && !document.querySelector("` + step.gone + `")`)
	}
}

// TestPagesDelete: a page says what goes, and no more than it showed is deleted.
func TestPagesDelete(t *testing.T) {
	api, p := newJourney(t)
	for _, path := range []string{"sonde/1.0.0/f", "sonde/2.0.0/f", "sonde/2.1.0/f", "other/1.0.0/f"} {
		api.put(path, "bytes of "+path)
	}
	p.part("a version", func(t *testing.T) { deletesVersion(t, api, p) })
	p.part("not what changed meanwhile", func(t *testing.T) { deletesNoChange(t, api, p) })
	p.part("several", func(t *testing.T) { deletesSeveral(t, api, p) })
	p.part("a package", func(t *testing.T) { deletesPackage(t, api, p) })
}

func deletesVersion(t *testing.T, api *ciProject, p *tab) {
	p.open(sonde + "/2.1.0")
	p.press("Delete this version…")
	p.sees("1 file goes")
	p.sees("becomes 2.0.0; 2 versions are left")
	p.inspect("delete-version")
	p.press("Delete sonde 2.1.0")
	p.at("/root/demo/-/packages")
	p.sees("Deleted.")
	if status := api.file("sonde/2.1.0/f"); status != "404" {
		t.Errorf("its file answers %s", status)
	}
	p.open(sonde + "/2.1.0")
	p.answered(http.StatusNotFound)
}

func deletesNoChange(t *testing.T, api *ciProject, p *tab) {
	p.open(sonde + "/2.0.0")
	p.press("Delete this version…")
	p.sees("1 file goes")
	api.put("sonde/2.0.0/more", "published while somebody looks")
	p.press("Delete sonde 2.0.0")
	p.sees("It changed while you looked.")
	p.answered(http.StatusConflict)
	p.sees("2 files go")
	p.inspect("delete-changed")
	if status := api.file("sonde/2.0.0/more"); status != "200" {
		t.Errorf("the file answers %s", status)
	}
}

func deletesSeveral(t *testing.T, api *ciProject, p *tab) {
	api.put("sonde/0.1.0/f", "old")
	api.put("sonde/0.2.0/f", "old, too")
	p.open(sonde)
	p.click(`[aria-label="Select 0.1.0"]`)
	p.click(`[aria-label="Select 0.2.0"]`)
	p.press("Delete selected…")
	p.press("Delete 2 versions of sonde")
	p.sees("Deleted.")
	if api.file("sonde/0.1.0/f") != "404" || api.file("sonde/0.2.0/f") != "404" || api.file("sonde/1.0.0/f") != "200" {
		t.Error("others were deleted than were chosen")
	}
}

func deletesPackage(t *testing.T, api *ciProject, p *tab) {
	p.open(sonde)
	p.press("Delete…")
	p.sees("Type sonde to go on")
	p.until(`document.querySelector("main form button.bad").disabled`)
	p.inspect("delete-package")
	api.put("sonde/3.0.0/f", "published while somebody looks")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=confirm]"), "sonde"))
	p.press("Delete sonde")
	p.sees("It changed while you looked.")
	p.until(`document.readyState == "complete" && document.querySelector("main form button.bad").disabled`)
	p.do(chromedp.SendKeys(chromedp.CSS("[name=confirm]"), "sonde"))
	p.press("Delete sonde")
	p.sees("Deleted.")
	if api.file("sonde/1.0.0/f") != "404" || api.file("sonde/3.0.0/f") != "404" || api.file("other/1.0.0/f") != "200" {
		t.Error("another package was deleted, or a part is left")
	}
}
