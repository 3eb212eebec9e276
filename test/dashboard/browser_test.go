package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sluice/test/interop/stage"
	"sluice/test/process"
	"sluice/test/servers"
)

// patience is how long anything on the page may take to come, on a busy machine.
const patience = time.Minute

// browser is a tab of Chromium, with what went wrong in it.
type browser struct {
	ctx context.Context

	mu     sync.Mutex
	errors []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		stage.Missing(t, "Chromium", "apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &browser{ctx: ctx}
	console := chromedp.Console(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		for message, err := range console {
			if err != nil {
				return // the tab is closed
			}
			switch message.Type {
			case chromedp.ConsoleError, chromedp.ConsoleWarning, chromedp.ConsoleException:
				b.mu.Lock()
				b.errors = append(b.errors, message.String()+" "+message.URL)
				b.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		reading.Wait()
		end()
	})
	b.do(t, size(1280, 940))
	return b
}

// clean fails the test for what went wrong in the page, but for what is expected.
func (b *browser) clean(t *testing.T, expected ...string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, line := range b.errors {
		for _, part := range expected {
			if strings.Contains(line, part) {
				continue next
			}
		}
		t.Errorf("the browser's console shows: %s", line)
	}
	b.errors = nil
}

func size(width, height int64) chromedp.Action[chromedp.Void] {
	if width < 500 {
		return chromedp.EmulateViewport(width, height, chromedp.EmulateMobile)
	}
	return chromedp.EmulateViewport(width, height)
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		seen, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 3000)`))
		t.Fatalf("%v; the page shows:\n%s", err, seen)
	}
}

// answer is what a script answers.
func answer[T any](t *testing.T, b *browser, script string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%v: %.200s", err, script)
	}
	return got
}

// sees waits until a script answers true.
func (b *browser) sees(t *testing.T, script string) {
	t.Helper()
	process.Eventually(t, patience, func(context.Context) error {
		text := answer[string](t, b, fmt.Sprintf(`(() => {
			let so = false;
			try { so = %s } catch {} // what is asked about is not there yet
			return so ? "" : document.body.innerText.slice(0, 3000);
		})()`, script))
		if text != "" {
			return fmt.Errorf("not so: %s; the page shows:\n%s", script, text)
		}
		return nil
	})
}

// says waits for a text in the sentence at the top.
func (b *browser) says(t *testing.T, text string) {
	t.Helper()
	b.sees(t, fmt.Sprintf("document.querySelector('.sentence')?.textContent.includes(%q)", text))
}

// click waits until a button can be pressed, and presses it as a mouse does.
func (b *browser) click(t *testing.T, selector string) {
	t.Helper()
	b.sees(t, fmt.Sprintf("document.querySelector(%q) && !document.querySelector(%q).disabled", selector, selector))
	b.do(t, chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// press gives the focus to something, as Tab would, and presses a key there.
func (b *browser) press(t *testing.T, selector, key string) {
	t.Helper()
	b.sees(t, fmt.Sprintf("document.querySelector(%q) && !document.querySelector(%q).disabled", selector, selector))
	b.do(t, chromedp.Focus(chromedp.CSS(selector)), chromedp.KeyEvent(key))
}

// enter replaces what a field holds.
func (b *browser) enter(t *testing.T, selector, text string) {
	t.Helper()
	b.do(t, chromedp.Focus(chromedp.CSS(selector)))
	answer[bool](t, b, fmt.Sprintf("document.querySelector(%q).select(), true", selector))
	if text == "" {
		text = kb.Backspace
	}
	b.do(t, chromedp.KeyEvent(text))
}

// look wants a colour scheme.
func (b *browser) look(t *testing.T, scheme string) {
	t.Helper()
	feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}})
	must(t, err)
}

// accessible fails the test for what axe-core takes for serious, in light and dark, and for a
// page that is wider than a phone.
func (b *browser) accessible(t *testing.T, state string) {
	t.Helper()
	axe, err := os.ReadFile(servers.Tool(t, "axe.min.js"))
	must(t, err)
	answer[int](t, b, string(axe)+";0")
	for _, scheme := range []string{"light", "dark"} {
		b.look(t, scheme)
		raw := answer[string](t, b, `axe.run().then((r) => JSON.stringify({
			checked: r.passes.length,
			wrong: r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")),
		}))`)
		var found struct {
			Checked int
			Wrong   []string
		}
		must(t, json.Unmarshal([]byte(raw), &found))
		if found.Checked < 10 {
			t.Errorf("%s, %s: axe looked at %d things alone", state, scheme, found.Checked)
		}
		for _, w := range found.Wrong {
			t.Errorf("%s, %s: %s", state, scheme, w)
		}
	}
	b.look(t, "light")
	b.do(t, size(360, 800))
	if wide := answer[string](t, b, `document.documentElement.scrollWidth <= 360 ? "" :
		[...document.querySelectorAll("body *")].filter((n) => n.getBoundingClientRect().right > 361).slice(0, 5).map((n) => n.outerHTML.slice(0, 80)).join(", ") || "?"`); wide != "" {
		t.Errorf("%s: wider than a phone: %s", state, wide)
	}
	b.do(t, size(1280, 940))
}

// picture writes what is seen of a page to a file.
func (b *browser) picture(t *testing.T, width, height int64, file string) {
	t.Helper()
	b.do(t, size(width, height))
	defer b.do(t, size(1280, 940))
	answer[bool](t, b, "(scrollTo(0, 0), document.activeElement.blur(), true)")
	raw, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	must(t, err)
	must(t, os.WriteFile(file, raw, 0o644))
}
