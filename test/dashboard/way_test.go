// Package dashboard drives the dashboard with a browser, before a gateway between real
// servers.
package dashboard

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sluice/gateway/config"
	"sluice/test/process"
)

var screenshots = flag.String("screenshots", "", "write pictures of the main states to the directory `DIR`")

// state is one of the main states on the way: it must be fit for everyone, and may be
// pictured.
func state(t *testing.T, b *browser, name string) {
	t.Helper()
	b.accessible(t, name)
	if *screenshots == "" {
		return
	}
	b.sees(t, "document.getElementById('toast').hidden") // it goes by itself
	b.picture(t, 1200, 1220, filepath.Join(*screenshots, name+".png"))
	if name == "mirroring" {
		b.picture(t, 390, 844, filepath.Join(*screenshots, name+"-phone.png"))
		b.look(t, "dark")
		b.picture(t, 1200, 1220, filepath.Join(*screenshots, name+"-dark.png"))
		b.look(t, "light")
	}
}

// confirm has done what a dialog asks for, and closes it.
func confirm(t *testing.T, b *browser) {
	t.Helper()
	b.click(t, "dialog button.primary")
	b.sees(t, "document.querySelector('dialog')?.textContent.includes('Done:')")
	b.press(t, "dialog button.quiet", kb.Enter)
	b.sees(t, "!document.querySelector('dialog')")
}

// enters logs in by the keyboard alone.
func enters(t *testing.T, s *stand, b *browser) {
	t.Helper()
	b.do(t, chromedp.Navigate(s.address))
	b.sees(t, "document.activeElement.id === 'token'")
	b.do(t, chromedp.KeyEvent(s.token(t)+kb.Enter))
	b.sees(t, "document.getElementById('connection').textContent.includes('live')")
}

// TestWholeWay moves a bucket by the dashboard: start, throttle, pause, verify, switch,
// rollback, switch, complete, with mouse and keyboard.
func TestWholeWay(t *testing.T) {
	s := newStand(t, 600, func(c *config.Config) { c.Migration.Backfill.Throttle.Bandwidth = 1 << 20 })
	s.play(t)
	b := newBrowser(t)
	enters(t, s, b)
	b.says(t, "mastodata is served from minio alone")
	b.sees(t, "/[1-9][0-9]* req/.test(document.querySelector('.routes svg').textContent)")
	state(t, b, "passthrough")

	b.click(t, "#start")
	b.sees(t, "document.querySelectorAll('dialog .guards li.good').length >= 3")
	confirm(t, b)
	b.says(t, "mastodata is being copied")

	b.enter(t, "#bandwidth", "1.5")
	b.enter(t, "#workers", "6")
	b.click(t, "#apply-throttle")
	process.Eventually(t, patience, func(context.Context) error {
		if l := s.gateway.Throttle().Limits(); l.Bandwidth != 3<<19 || l.Workers != 6 {
			return errors.New("the throttle was not set")
		}
		return nil
	})
	b.sees(t, "document.querySelector('.why').textContent.includes('bandwidth limit')")
	b.sees(t, "parseInt(document.querySelector('.big').textContent) >= 40")
	b.sees(t, "document.querySelector('.chart canvas')")
	state(t, b, "mirroring")

	b.click(t, "#pause")
	b.says(t, "but the copying rests at")
	b.press(t, "#resume", kb.Enter)
	b.says(t, "Nothing to do")
	b.enter(t, "#bandwidth", "")
	b.press(t, "#apply-throttle", kb.Enter)
	b.says(t, "Verify it, then switch.")

	// What is not verified can be passed over, but only if that is picked.
	b.click(t, "#switch")
	b.sees(t, "document.querySelector('dialog input[value=verified]')")
	b.sees(t, "document.querySelector('dialog button.primary').disabled")
	b.click(t, "dialog input[value=verified]")
	b.sees(t, "!document.querySelector('dialog button.primary').disabled")
	b.accessible(t, "dialog")
	b.do(t, chromedp.KeyEvent(kb.Escape))
	b.sees(t, "!document.querySelector('dialog') && document.activeElement.id === 'switch'")

	b.do(t, chromedp.SetValue(chromedp.CSS("#level"), "content"))
	b.click(t, "#verify")
	b.says(t, "verified. You can switch.")
	b.sees(t, "document.querySelector('#card-can-i-switch- ~ .verdict').textContent === 'Yes.'")
	state(t, b, "ready")

	b.press(t, "#switch", kb.Enter)
	b.sees(t, "document.querySelector('dialog button.primary')?.disabled === false")
	b.do(t, chromedp.KeyEvent(kb.Tab+kb.Enter)) // from Close to Switch now
	b.sees(t, "document.querySelector('dialog')?.textContent.includes('Done:') && document.activeElement.textContent === 'Close'")
	b.do(t, chromedp.KeyEvent(kb.Enter))
	b.says(t, "hetzner is the primary")
	b.sees(t, "document.querySelector('#card-can-i-go-back- ~ .verdict').textContent === 'Yes.'")
	state(t, b, "switched")

	b.click(t, "#rollback")
	confirm(t, b)
	b.says(t, "You can switch.")
	b.click(t, "#switch")
	confirm(t, b)
	b.click(t, "#complete")
	b.sees(t, "document.querySelector('#sure')")
	b.sees(t, "document.querySelector('dialog button.primary').disabled")
	b.enter(t, "#sure", bucket)
	confirm(t, b)
	b.says(t, "mastodata is on hetzner alone")
	state(t, b, "completed")
	b.clean(t, "status of 409") // a guard's refusal is what was asked for

	raw, err := os.ReadFile(filepath.Join(s.config.StateDir, "audit.log"))
	must(t, err)
	for _, command := range []string{"start", "pause", "resume", "switch", "rollback", "complete"} {
		if !strings.Contains(string(raw), `"by":"dashboard from 127.0.0.1","bucket":"mastodata","command":"`+command+`"`) {
			t.Errorf("%s is not in the audit log:\n%s", command, raw)
		}
	}
}
