package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/backends"
	"sluice/gateway/mirror"
	"sluice/test/servers"
)

// legalKeys are keys that some layer between a client and a store is known to
// bend: a router that cleans paths, a decoder that decodes twice, a document that
// has no form for a character.
var legalKeys = []string{
	"a", "plain/key.txt",
	"/leading", "//leading", "double//slash", "trailing/", "trailing//", "/", "//",
	".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "../../../etc/passwd", "...", "a/...",
	".hidden", ".sluice", ".sluices/a", "a/.sluice/b",
	"a%2Fb", "a%252Fb", "100%", "%", "%00", "%zz", "a%20b", "%2e%2e/a",
	"a+b", "a b", " leading space", "trailing space ", "  ", "+", "a%2Bb",
	`back\slash`, `..\a`, `\`, `c:\temp`,
	"?", "a?b=c", "#", "a#b", "a&b", "&amp;", "a=b", "a;b", "a:b", "a@b", "a,b", "a$b", "a!b", "a*b", "a'b", `a"b`,
	"a(b)", "a[b]", "a{b}", "a|b", "a^b", "a`b", "a~b", "a<b>", "]]>", "<Key>x</Key>", "${filename}",
	"tab\tin", "line\nin", "return\rin", "both\r\nin",
	"nul\x00in", "bell\x07in", "escape\x1bin", "unit\x1fin", "delete\x7fin", "c1\u0085in", "\u009f",
	"noncharacter\ufffein", "noncharacter\uffffin", "plane 16 \U0010ffff", "replacement\ufffd", "\ufeffbyte order mark",
	"ü", "u\u0308", "é", "e\u0301", "\u0301", "ﬁ", "\u2126", "\u03a9", "ß", "İ", "日本語/キー", "עברית", "\u202eoverride", "zero\u200bwidth",
	"😀", "👩‍👩‍👧", "🇩🇪", "line\u2028separator", "no\u00a0break",
	"uploads", "acl", "media", "media/media", "index.html", "list-type=2",
}

// longKeys are as long as a key may be, in bytes.
func longKeys() []string {
	return []string{
		strings.Repeat("k", 1024), strings.Repeat("日", 341) + "k", strings.Repeat("😀", 256),
		strings.Repeat("/", 1023) + "k", strings.Repeat("%", 1024), strings.Repeat("d/", 511) + "ke",
	}
}

// pathOf is where a key is asked for: every byte that may be misread is encoded.
func pathOf(key string) string {
	return "/media/" + strings.ReplaceAll(url.PathEscape(key), "%2F", "/")
}

// nameOf names a key's case: of a long key only the beginning.
func nameOf(key string) string {
	if len(key) > 40 {
		return fmt.Sprintf("%q… of %d bytes", key[:12], len(key))
	}
	return strconv.QuoteToASCII(strings.ReplaceAll(key, "/", "∕"))
}

func startWithKeys(t *testing.T) (*rig, []string) {
	r := startRig(t, settings(t, embeddedStore(t), embeddedStore(t)))
	return r, append(longKeys(), legalKeys...)
}

// holdsKeys is holds, key by key: gofakes3 has the characters that XML has no form
// for, but no listing of it names them (see TestHazard18KeysListed).
func (r *rig) holdsKeys(t *testing.T, want map[string]string) {
	t.Helper()
	r.quiet(t)
	for _, name := range []string{"old", "new"} {
		s := r.store(t, name, "")
		for key, body := range want {
			o, err := s.Get(t.Context(), backends.GetRequest{Key: key})
			if err != nil {
				t.Errorf("%q on %s: %v", key, name, err)
				continue
			}
			got, err := io.ReadAll(o.Body)
			o.Body.Close()
			if err != nil || string(got) != body {
				t.Errorf("%q on %s holds %.80q (%v)", key, name, got, err)
			}
		}
		page, err := s.List(t.Context(), backends.ListRequest{MaxKeys: 1000})
		if err == nil {
			page.Objects = slices.DeleteFunc(page.Objects, func(o backends.ListedObject) bool { return mirror.IsReserved(o.Key) })
		}
		if err != nil || len(page.Objects) != len(want) {
			t.Errorf("%s lists %d keys, want %d (%v)", name, len(page.Objects), len(want), err)
		}
	}
}

// TestHazard18KeysArriveAsSent: each is its own object, on both stores, under exactly its
// bytes. Without the decoding of address (s3api) a key is what its encoding looks like.
func TestHazard18KeysArriveAsSent(t *testing.T) {
	r, keys := startWithKeys(t)
	want := make(map[string]string)
	for _, key := range keys {
		want[key] = "content of " + key
		r.must(t, 200, "", ask{method: "PUT", path: pathOf(key), body: want[key]})
	}
	if len(want) != len(keys) {
		t.Fatal("a key is in the table twice")
	}
	r.holdsKeys(t, want)
	r.restart(t) // with an empty cache
	for _, key := range keys {
		t.Run(nameOf(key), func(t *testing.T) {
			if got := r.must(t, 200, "", ask{method: "GET", path: pathOf(key)}); got.body != want[key] {
				t.Errorf("got %v", got)
			}
			if got := r.must(t, 200, "", ask{method: "HEAD", path: pathOf(key)}); got.header.Get("Content-Length") != strconv.Itoa(len(want[key])) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestHazard18KeysListed: encoded, every key comes back. The stores are MinIO's, which
// list what XML can not name; and take neither "//" nor "." in a path, nor long
// names. With a decoder of listings (backends/s3) that leaves the plus alone keys with
// spaces come back as others.
func TestHazard18KeysListed(t *testing.T) {
	c := settings(t, minioStore(t, servers.MinIO(t), "old-media"), minioStore(t, servers.MinIO(t), "new-media"))
	r := startRig(t, c)
	var keys []string
	want := make(map[string]string)
	for _, key := range legalKeys {
		if strings.ContainsAny(key, "/\x00") || slices.Contains([]string{".", "..", `..\a`}, key) || strings.TrimSpace(key) == "" {
			continue
		}
		keys = append(keys, key)
		want[key] = "content of " + key
		r.put(t, pathOf(key), want[key])
	}
	r.holds(t, "media", want)
	slices.Sort(keys)
	for _, query := range []string{"list-type=2", "list-type=2&max-keys=7", "max-keys=7", "list-type=2&delimiter=/"} {
		if got := r.listed(t, query); !slices.Equal(got, keys) {
			t.Errorf("%s:\n%.1000q\nwant\n%.1000q", query, got, keys)
		}
	}
	for _, key := range keys {
		t.Run(nameOf(key), func(t *testing.T) {
			prefix := strings.ReplaceAll(url.QueryEscape(key), "+", "%20")
			got := r.listed(t, "list-type=2&max-keys=1&prefix="+prefix)
			if !slices.Contains(got, key) || slices.ContainsFunc(got, func(k string) bool { return !strings.HasPrefix(k, key) }) {
				t.Errorf("got %q", got)
			}
		})
	}
	got := r.must(t, 200, "", ask{method: "POST", path: "/media?delete", body: deletion(slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !inXML(k) })...)})
	if strings.Contains(got.body, "<Error>") {
		t.Errorf("got %v", got)
	}
	for key := range want {
		if inXML(key) {
			delete(want, key)
		}
	}
	r.holds(t, "media", want)
}

// listed walks a listing whose keys are encoded.
func (r *rig) listed(t *testing.T, query string) []string {
	t.Helper()
	var keys []string
	next := ""
	for {
		got := r.must(t, 200, "", ask{method: "GET", path: "/media?encoding-type=url&" + query + next})
		for _, encoded := range between(got.body, "Key") {
			key, err := url.QueryUnescape(encoded)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
		switch {
		case !strings.Contains(got.body, "<IsTruncated>true"):
			return keys
		case strings.Contains(query, "list-type"):
			next = "&continuation-token=" + url.QueryEscape(between(got.body, "NextContinuationToken")[0])
		default:
			next = "&marker=" + url.QueryEscape(keys[len(keys)-1])
		}
	}
}

// TestHazard18KeysWrittenOtherwise: what a client encodes, and how, is no part of the
// key. Without the decoding of address (s3api) it is.
func TestHazard18KeysWrittenOtherwise(t *testing.T) {
	r := startRig(t, settings(t, embeddedStore(t), embeddedStore(t)))
	want := make(map[string]string)
	for path, key := range map[string]string{
		"/media/one%2Ftwo": "one/two", "/media/one%2ftwo2": "one/two2", "/media/%61bc": "abc", "/media/plus+": "plus+",
		"/media/dots/%2E%2E/x": "dots/../x", "/media/dots/../y": "dots/../y", "/media/a!b*c'(d)": "a!b*c'(d)",
		"/media/%E2%82%ac": "€", "/media/a:b@c=d,e;f": "a:b@c=d,e;f", "/media/100%25": "100%",
	} {
		t.Run(strings.ReplaceAll(path, "/", " "), func(t *testing.T) {
			r.put(t, path, path)
			want[key] = path
			if got := r.must(t, 200, "", ask{method: "GET", path: pathOf(key)}); got.body != path {
				t.Errorf("got %v", got)
			}
		})
	}
	r.holdsKeys(t, want)
}

// TestHazard18KeysThatAreNone: too long, or no UTF-8. The stores hear of none. Without
// checkKey (s3api) they do.
func TestHazard18KeysThatAreNone(t *testing.T) {
	r := startRig(t, settings(t, embeddedStore(t), embeddedStore(t)))
	for _, c := range []struct{ name, path, code string }{
		{"1025 bytes", "/media/" + strings.Repeat("k", 1025), "KeyTooLongError"},
		{"1026 bytes of three each", pathOf(strings.Repeat("日", 342)), "KeyTooLongError"},
		{"no UTF-8", "/media/a%FF", "InvalidURI"},
		{"half a surrogate pair", "/media/a%ED%A0%80", "InvalidURI"},
		{"over-long slash", "/media/a%C0%AF", "InvalidURI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, method := range []string{"PUT", "GET", "DELETE"} {
				r.must(t, 400, c.code, ask{method: method, path: c.path})
			}
		})
	}
	r.holdsKeys(t, nil)
}

// TestHazard18KeysCopied: the source is named in a header, encoded once more. Without the
// decoding of copySource (s3api) it is not found.
func TestHazard18KeysCopied(t *testing.T) {
	r, keys := startWithKeys(t)
	want := make(map[string]string)
	for i, key := range keys {
		want[key] = "content of " + key
		r.must(t, 200, "", ask{method: "PUT", path: pathOf(key), body: want[key]})
		copied := fmt.Sprintf("copies/%03d", i)
		want[copied] = want[key]
		source := strings.ReplaceAll(url.QueryEscape("media/"+key), "+", "%20")
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + copied, header: map[string]string{"X-Amz-Copy-Source": source}})
	}
	r.holdsKeys(t, want)
}

// TestHazard18KeysInParts: the key is in the documents of an upload, and in its id.
// Without the decoding of address (s3api) the objects have other keys.
func TestHazard18KeysInParts(t *testing.T) {
	r, keys := startWithKeys(t)
	want := make(map[string]string)
	for _, key := range keys {
		t.Run(nameOf(key), func(t *testing.T) {
			path := pathOf(key)
			id := uploadID(t, r.must(t, 200, "", ask{method: "POST", path: path + "?uploads"}))
			part := r.must(t, 200, "", ask{method: "PUT", path: path + "?partNumber=1&uploadId=" + id, body: "part of " + key})
			r.must(t, 200, "", ask{method: "POST", path: path + "?uploadId=" + id, body: completion(part)})
			want[key] = "part of " + key
		})
	}
	r.holdsKeys(t, want)
}

// TestHazard18KeysDeleted: by one request for all keys that XML can name, and one by one.
// Without the decoding of address (s3api) what was put is not what is deleted.
func TestHazard18KeysDeleted(t *testing.T) {
	r, keys := startWithKeys(t)
	want := map[string]string{}
	var named []string
	for _, key := range keys {
		r.put(t, pathOf(key), "x")
		want[key] = "x"
		if inXML(key) {
			named = append(named, key)
		}
	}
	got := r.must(t, 200, "", ask{method: "POST", path: "/media?delete", body: deletion(named...)})
	if n := strings.Count(got.body, "<Deleted>"); n != len(named) || strings.Contains(got.body, "<Error>") {
		t.Errorf("%d of %d deleted: %v", n, len(named), got)
	}
	for _, key := range named {
		delete(want, key)
	}
	r.holdsKeys(t, want)
	for key := range maps.Clone(want) {
		r.must(t, 204, "", ask{method: "DELETE", path: pathOf(key)})
		delete(want, key)
	}
	r.holdsKeys(t, want)
}

// inXML tells whether XML 1.0 has a form for every character.
func inXML(key string) bool {
	return utf8.ValidString(key) && !strings.ContainsFunc(key, func(c rune) bool {
		return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == '\ufffe' || c == '\uffff'
	})
}
