package dashboard

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
)

// TestTrouble: a store that is away, keys that look like HTML, a wrong token, a gateway that
// goes and comes: the page says so, and neither breaks nor runs what strangers wrote.
func TestTrouble(t *testing.T) {
	s := newStand(t, 40, func(c *config.Config) { c.Buckets["pictures"] = config.Bucket{Old: oldStore} })
	operator, err := s.gateway.Operator(t.Context(), bucket)
	must(t, err)
	_, err = operator.Command(t.Context(), migrate.Start, migrate.Order{By: "the test"})
	must(t, err)
	end := s.play(t)
	b := newBrowser(t)
	enters(t, s, b)

	b.says(t, "Buckets") // there are two
	b.sees(t, "document.querySelectorAll('.overview li').length === 2 && document.querySelector('.overview').textContent.includes('nowhere to move it')")
	b.accessible(t, "overview")
	b.do(t, chromedp.SetValue(chromedp.CSS("#buckets select"), "#/"+bucket))
	answer[bool](t, b, "document.querySelector('#buckets select').dispatchEvent(new Event('change'))")
	b.says(t, "Verify it, then switch.")

	s.new.Stop(t)
	b.says(t, "hetzner does not answer. minio serves everything")
	b.sees(t, "document.querySelector('.routes svg .box.broken').textContent.includes('does not answer')")
	b.accessible(t, "a store is away")
	b.clean(t, "status of 409")
	s.new.Restart(t)
	b.says(t, "Verify it, then switch.")
	end()

	key := `accounts/<img src=x onerror="document.title = 1">.png`
	_, err = s.newRaw.Put(t.Context(), backends.PutRequest{Key: key, Body: bytes.NewReader([]byte("x")), Size: 1})
	must(t, err)
	b.click(t, "#verify")
	b.says(t, "The stores differ in 1 object.")
	b.sees(t, fmt.Sprintf("document.querySelector('.findings code').textContent === JSON.stringify(%q)", key))
	b.enter(t, "#object-key", key+kb.Enter)
	b.sees(t, "/can not look up|Read from/.test(document.querySelector('#card-object').parentNode.textContent)")
	b.click(t, "#purge")
	b.sees(t, "document.getElementById('toast').textContent.includes('forgotten')")
	b.sees(t, "document.images.length === 1 && document.title.startsWith('mastodata')") // our own sign alone

	// A tab that nobody sees holds no connection, and goes on when it is seen.
	answer[bool](t, b, `(() => {
		const Source = EventSource;
		window.sources = [];
		window.EventSource = class extends Source { constructor(path) { super(path); sources.push(this); } };
		window.hide = (hidden) => {
			Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
			document.dispatchEvent(new Event("visibilitychange"));
		};
		hide(true); hide(false);
		return true;
	})()`)
	b.sees(t, "sources.some((s) => s.url.endsWith('/v1/live') && s.readyState === EventSource.OPEN)")
	answer[bool](t, b, "(hide(true), true)")
	b.sees(t, "sources.every((s) => s.readyState === EventSource.CLOSED)")
	answer[bool](t, b, "(hide(false), true)")
	b.sees(t, "sources.some((s) => s.readyState === EventSource.OPEN)")

	s.stop()
	b.sees(t, "document.getElementById('connection').textContent.includes('connection lost')")
	s.start(t)
	b.sees(t, "document.activeElement.id === 'token'") // sessions do not outlive the gateway
	b.accessible(t, "login")
	b.do(t, chromedp.KeyEvent("wrong"+kb.Enter))
	b.sees(t, "document.querySelector('.wrong').textContent === 'That is not the token.'")
	b.do(t, chromedp.KeyEvent(s.token(t)+kb.Enter))
	b.says(t, "The stores differ in 1 object.")
	b.click(t, "#logout")
	b.sees(t, "document.activeElement.id === 'token'")
	if status := answer[int](t, b, "fetch('/v1/buckets').then((r) => r.status)"); status != 401 {
		t.Errorf("after the logout the API answers %d", status)
	}
	b.clean(t, "status of 409", "/object?key=", "ERR_", "status of 401")
}
