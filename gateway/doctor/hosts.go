package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"sluice/gateway/config"
	ourtls "sluice/tls"
)

// hosts looks at the names, and then at what the public hosts show.
func (d *doctor) hosts(ctx context.Context) {
	d.names(ctx)
	var shows errgroup.Group
	shows.SetLimit(atOnce)
	for _, name := range slices.Sorted(maps.Keys(d.Config.Hosts)) {
		if d.Config.Hosts[name].Serve == config.ServePublic {
			shows.Go(func() error { d.publicHost(ctx, name); return nil })
		}
	}
	_ = shows.Wait()
}

// todos say what to do about a name, beside what was seen.
var todos = map[string]string{
	"dns":         "give it A or AAAA records that point here",
	"port 80":     "let port 80 of the name's addresses through to listen.http",
	"port 443":    "let port 443 of the name's addresses through to listen.https",
	"certificate": "`sluice certs` says when it is tried again",
}

// names looks at the hosts' names as the running gateway does, and at those that it needs no
// certificate for, or all if none runs, in the DNS alone.
func (d *doctor) names(ctx context.Context) {
	var found []ourtls.Check
	if d.Names != nil {
		found = d.Names(ctx)
	}
	resolver := d.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	for _, name := range slices.Sorted(maps.Keys(d.Config.Hosts)) {
		seen := slices.ContainsFunc(found, func(c ourtls.Check) bool { return c.Subject == name })
		if !seen && ourtls.Named(name) {
			found = append(found, ourtls.LookUp(ctx, resolver, name))
		}
	}
	for _, c := range found {
		s := subject{Host, c.Subject, d.report}
		if c.OK {
			s.ok(c.Check, c.Message)
		} else {
			s.fail(c.Check, trouble{c.Message, todos[c.Check], ""})
		}
	}
}

// publicHost must not list its bucket, whatever stands there now.
func (d *doctor) publicHost(ctx context.Context, host string) {
	s := subject{Host, host, d.report}
	client := http.Client{
		Timeout:       patience / 4,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, DialContext: d.Dial,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // nothing is sent that is secret, nothing believed but a listing
		},
	}
	answered, err := false, error(nil)
	for _, url := range []string{"https://" + host + "/", "http://" + host + "/"} {
		for _, query := range []string{"", "?list-type=2&max-keys=1", "?max-keys=1"} {
			var listed bool
			if listed, err = lists(ctx, &client, url+query); err != nil {
				break // the other way in
			}
			answered = true
			if listed {
				s.fail("strangers", trouble{
					url + query + " lists the bucket to everyone",
					"let Sluice serve this host, or take the right to list away from everyone at the store that answers", "",
				})
				return
			}
		}
	}
	if !answered {
		s.warn("strangers", "it could not be seen whether strangers can list it: "+cause(err), "ask again when the host answers")
		return
	}
	s.ok("strangers", "it does not list its bucket")
}

func lists(ctx context.Context, client *http.Client, url string) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return bytes.Contains(body, []byte("<ListBucketResult")), err
}
