package quirky_test

import (
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/quirky"
	"sluice/backends/s3"
	"sluice/backends/storetest"
	"sluice/test/servers"
)

func start(t *testing.T, q quirky.Quirks) *s3.Store {
	t.Helper()
	server := quirky.Start(q)
	t.Cleanup(server.Close)
	s, err := server.Store(t.Context(), "quirky")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestStore(t *testing.T) {
	for name, q := range map[string]quirky.Quirks{
		"as S3": {}, "pages by marker alone": {V1Only: true}, "refuses other pages": {RefuseV2: true},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) backends.Store { return start(t, q) }, storetest.UploadPages)
		})
	}
}

var all = backends.Profile{ConditionalCreate: true, Checksums: true, Trailers: true, ACLs: true, Tags: true, TagCounts: true, Subresources: true, MD5ETags: true}

// TestProbe: what a store does is what its profile says.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		quirks quirky.Quirks
		lacks  func(*backends.Profile)
	}{
		"S3":                    {quirky.Quirks{}, func(*backends.Profile) {}},
		"no ACLs":               {quirky.Quirks{RefuseACLs: "NotImplemented"}, func(p *backends.Profile) { p.ACLs = false }},
		"bucket owner enforced": {quirky.Quirks{RefuseACLs: "AccessControlListNotSupported"}, func(p *backends.Profile) { p.ACLs = false }},
		"ACLs forgotten":        {quirky.Quirks{ForgetACLs: true}, func(p *backends.Profile) { p.ACLs = false }},
		"no tags":               {quirky.Quirks{NoTags: true}, func(p *backends.Profile) { p.Tags, p.TagCounts = false, false }},
		"sub-resources ignored": {quirky.Quirks{IgnoreSubresources: true}, func(p *backends.Profile) {
			p.Tags, p.TagCounts, p.ACLs, p.Subresources = false, false, false, false
		}},
		"no checksums":          {quirky.Quirks{RefuseChecksums: true}, func(p *backends.Profile) { p.Checksums, p.Trailers = false, false }},
		"checksums forgotten":   {quirky.Quirks{ForgetChecksums: true}, func(p *backends.Profile) { p.Trailers = false }},
		"no trailers":           {quirky.Quirks{NoTrailers: true}, func(p *backends.Profile) { p.Trailers = false }},
		"conditions ignored":    {quirky.Quirks{IgnoreConditions: true}, func(p *backends.Profile) { p.ConditionalCreate = false }},
		"conditions refused":    {quirky.Quirks{RefuseConditions: true}, func(p *backends.Profile) { p.ConditionalCreate = false }},
		"other ETags":           {quirky.Quirks{OddETags: true}, func(p *backends.Profile) { p.MD5ETags = false }},
		"one write a second":    {quirky.Quirks{OneWrite: time.Second}, func(*backends.Profile) {}},
		"parts of one size":     {quirky.Quirks{EqualParts: true}, func(*backends.Profile) {}},
		"pages by marker alone": {quirky.Quirks{V1Only: true}, func(*backends.Profile) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := all
			c.lacks(&want)
			got, err := backends.Probe(t.Context(), start(t, c.quirks))
			if err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		})
	}
}

// TestProbeRealServers has the profiles that docs/stores.md shows; with -v it
// prints them.
func TestProbeRealServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *servers.Server{"minio": servers.MinIO, "versitygw": servers.Versity} {
		t.Run(name, func(t *testing.T) {
			p, err := backends.Probe(t.Context(), start(t).Store(t, name, "bucket"))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %+v", name, p)
		})
	}
}
