package mirror

import (
	"net/http"
	"slices"
	"testing"

	"sluice/backends"
)

// TestHeaderForEachStore: the primary is sent what the client sent, less what it
// refuses to take; the secondary neither conditions, which the primary judged, nor
// what it can not have.
func TestHeaderForEachStore(t *testing.T) {
	sent := http.Header{
		"Content-Type": {"text/plain"}, "X-Amz-Meta-A": {"b"}, "X-Amz-Acl": {"public-read"}, "X-Amz-Grant-Read": {"id=1"},
		"X-Amz-Tagging": {"a=b"}, "X-Amz-Checksum-Crc32": {"AAAAAA=="},
	}
	for _, name := range conditions {
		sent[name] = []string{"x"}
	}
	everything := backends.Profile{Checksums: true, Tags: true}
	object := []string{"Content-Type", "X-Amz-Meta-A"}
	for name, c := range map[string]struct {
		side    side
		profile backends.Profile
		want    []string // beside the object's own headers
	}{
		"primary":                {primary, everything, append([]string{"X-Amz-Acl", "X-Amz-Grant-Read", "X-Amz-Tagging", "X-Amz-Checksum-Crc32"}, conditions...)},
		"primary of few words":   {primary, backends.Profile{}, append([]string{"X-Amz-Acl", "X-Amz-Grant-Read", "X-Amz-Tagging"}, conditions...)},
		"secondary":              {secondary, everything, []string{"X-Amz-Acl", "X-Amz-Grant-Read", "X-Amz-Tagging", "X-Amz-Checksum-Crc32"}},
		"secondary of few words": {secondary, backends.Profile{}, []string{"X-Amz-Acl", "X-Amz-Grant-Read"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&Store{Profile: c.profile}).header(c.side, sent)
			want := append(slices.Clone(c.want), object...)
			if len(got) != len(want) || slices.ContainsFunc(want, func(name string) bool { return got.Get(name) == "" }) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	if !conditional(sent) || conditional(http.Header{"Content-Type": {"x"}}) {
		t.Error("a condition is not seen, or one is that is none")
	}
}
