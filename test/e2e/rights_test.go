package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/gateway/config"
	"sluice/gateway/mirror"
)

// The key pairs of these tests; a pair's secret is its name with "-secret".
const (
	reader = "READER" // read_only
	team   = "TEAM"   // keys below team/ of any bucket
	guest  = "GUEST"  // the bucket "other" alone
)

// startWithRights: "media" is closed, "public" is open to everyone, and each is on
// stores of its own. "other" is there for its name.
func startWithRights(t *testing.T) *rig {
	t.Helper()
	c := settings(t, embeddedStore(t), embeddedStore(t))
	c.Stores["public-old"], c.Stores["public-new"] = embeddedStore(t), embeddedStore(t)
	c.Buckets["public"] = config.Bucket{Old: "public-old", New: "public-new", Anonymous: config.AnonymousRead}
	c.Stores["alone"] = embeddedStore(t)
	c.Buckets["other"] = config.Bucket{Old: "alone"}
	for _, k := range []config.Credential{
		{AccessKeyID: reader, ReadOnly: true},
		{AccessKeyID: team, Prefixes: []string{"team/", "shared/t-"}},
		{AccessKeyID: guest, Buckets: []string{"other"}},
	} {
		k.SecretAccessKey = k.AccessKeyID + "-secret"
		c.Credentials = append(c.Credentials, k)
	}
	return startRig(t, c)
}

func (a ask) by(who string) ask {
	if who != accessKey {
		a.key, a.secret = who, who+"-secret"
	}
	return a
}

// put stores an object through the gateway.
func (r *rig) put(t *testing.T, path, body string) {
	t.Helper()
	r.must(t, 200, "", ask{method: "PUT", path: path, body: body})
}

// TestRights: what a pair may not do is denied before a store hears of it.
func TestRights(t *testing.T) {
	r := startWithRights(t)
	seed := map[string]string{"team/a": "of the team", "private/a": "of others", ".sluicer": "no reserved key"}
	for key, body := range seed {
		r.put(t, "/media/"+key, body)
	}
	r.must(t, 200, "", ask{method: "POST", path: "/media/team/open?uploads"}) // gofakes3 lists no uploads before the first
	deny := func(who, method, path string, header ...string) rightsCase {
		return rightsCase{who, method, path, pairs(header), 403, "AccessDenied"}
	}
	for _, c := range []rightsCase{
		{reader, "GET", "/media/private/a", nil, 200, ""},
		{reader, "HEAD", "/media/private/a", nil, 200, ""},
		{reader, "GET", "/media?list-type=2", nil, 200, ""},
		{reader, "HEAD", "/media", nil, 200, ""},
		{reader, "GET", "/media?uploads", nil, 200, ""},
		deny(reader, "PUT", "/media/new"),
		deny(reader, "PUT", "/media/new", "X-Amz-Copy-Source", "/media/team/a"),
		deny(reader, "DELETE", "/media/team/a"),
		deny(reader, "POST", "/media?delete"),
		deny(reader, "POST", "/media/new?uploads"),
		deny(reader, "PUT", "/media/new?uploadId=u&partNumber=1"),
		deny(reader, "POST", "/media/new?uploadId=u"),
		deny(reader, "DELETE", "/media/new?uploadId=u"),
		deny(reader, "PUT", "/media/team/a?tagging"),
		deny(reader, "PUT", "/media?policy"),
		deny(reader, "PUT", "/brandnew"),
		deny(reader, "DELETE", "/media"),

		{team, "GET", "/media/team/a", nil, 200, ""},
		{team, "HEAD", "/media/team/a", nil, 200, ""},
		{team, "GET", "/media/team/none", nil, 404, "NoSuchKey"},
		{team, "HEAD", "/media", nil, 200, ""},
		{team, "GET", "/media?location", nil, 200, ""},
		{team, "GET", "/media?list-type=2&prefix=team/", nil, 200, ""},
		{team, "GET", "/media?prefix=team/deeper", nil, 200, ""},
		{team, "GET", "/media?uploads&prefix=team/", nil, 200, ""},
		deny(team, "GET", "/media/private/a"),
		deny(team, "HEAD", "/media/private/a"),
		deny(team, "GET", "/media/private/none"),
		deny(team, "PUT", "/media/private/b"),
		deny(team, "PUT", "/media/tea"),
		deny(team, "DELETE", "/media/private/a"),
		deny(team, "PUT", "/media/team/copy", "X-Amz-Copy-Source", "/media/private/a"),
		deny(team, "PUT", "/media/private/copy", "X-Amz-Copy-Source", "/media/team/a"),
		deny(team, "PUT", "/media/team/copy?uploadId=u&partNumber=1", "X-Amz-Copy-Source", "/media/private/a"),
		deny(team, "GET", "/media?list-type=2"),
		deny(team, "GET", "/media?list-type=2&prefix=tea"),
		deny(team, "GET", "/media?list-type=2&prefix=private/"),
		deny(team, "GET", "/media?uploads"),
		deny(team, "GET", "/media?versions"),
		deny(team, "POST", "/media/private/big?uploads"),
		deny(team, "GET", "/media?policy"),
		deny(team, "PUT", "/media?policy"),
		deny(team, "DELETE", "/media"),

		deny(guest, "GET", "/media/team/a"),
		deny(guest, "GET", "/media"),
		deny(guest, "HEAD", "/media"),
		deny(guest, "PUT", "/media/guest"),
		deny(guest, "PUT", "/other/copy", "X-Amz-Copy-Source", "/media/team/a"),
		deny(guest, "GET", "/nosuch/key"),
		{guest, "GET", "/other/none", nil, 404, "NoSuchKey"},

		deny(accessKey, "GET", "/media/.sluice/marker"),
		deny(accessKey, "PUT", "/media/.sluice/marker"),
		deny(accessKey, "DELETE", "/media/.sluice/marker"),
		deny(accessKey, "PUT", "/media/stolen", "X-Amz-Copy-Source", "/media/.sluice/marker"),
		deny(accessKey, "POST", "/media/.sluice/big?uploads"),
		{accessKey, "GET", "/media/.sluicer", nil, 200, ""},
	} {
		t.Run(c.String(), func(t *testing.T) { c.check(t, r) })
	}
	r.holds(t, "media", seed)
}

type rightsCase struct {
	who, method, path string
	header            map[string]string
	status            int
	code              string
}

func (c rightsCase) String() string {
	name := strings.ToLower(c.who) + " " + c.method + strings.ReplaceAll(c.path, "/", " ")
	if source := c.header["X-Amz-Copy-Source"]; source != "" {
		name += " from" + strings.ReplaceAll(source, "/", " ")
	}
	return name
}

func (c rightsCase) check(t *testing.T, r *rig) {
	a := ask{method: c.method, path: c.path, header: c.header}
	if c.method == http.MethodPut && c.header == nil {
		a.body = "must not be stored"
	}
	code := c.code
	if c.method == http.MethodHead {
		code = "" // there is no document to hold it
	}
	r.must(t, c.status, code, a.by(c.who))
}

// pairs makes a header of names and values in turn.
func pairs(list []string) map[string]string {
	var h map[string]string
	for i := 0; i < len(list); i += 2 {
		if h == nil {
			h = make(map[string]string)
		}
		h[list[i]] = list[i+1]
	}
	return h
}

// TestRightsOfAPrefixToWrite: what a pair with prefixes may do it can do.
func TestRightsOfAPrefixToWrite(t *testing.T) {
	r := startWithRights(t)
	r.put(t, "/media/private/a", "of others")
	send := func(method, path, body string, header ...string) answer {
		t.Helper()
		return r.must(t, map[string]int{"DELETE": 204}[method]+map[bool]int{true: 200}[method != "DELETE"], "",
			ask{method: method, path: path, body: body, header: pairs(header)}.by(team))
	}
	send("PUT", "/media/team/a", "one")
	send("PUT", "/media/shared/t-b", "two")
	send("PUT", "/media/team/copy", "", "X-Amz-Copy-Source", "/media/team/a")
	send("DELETE", "/media/team/a", "")
	id := uploadID(t, send("POST", "/media/team/big?uploads", ""))
	part := send("PUT", "/media/team/big?partNumber=1&uploadId="+id, "the part")
	send("POST", "/media/team/big?uploadId="+id, completion(part))
	r.holds(t, "media", map[string]string{
		"private/a": "of others", "shared/t-b": "two", "team/copy": "one", "team/big": "the part",
	})
}

// TestRightsInDeleteObjects: each key is looked at, and answered for, by itself.
func TestRightsInDeleteObjects(t *testing.T) {
	r := startWithRights(t)
	for _, key := range []string{"team/a", "team/b", "private/a"} {
		r.put(t, "/media/"+key, key)
	}
	got := r.must(t, 200, "", ask{method: "POST", path: "/media?delete", body: deletion("team/a", "private/a", ".sluice/x", "team/none")}.by(team))
	for _, want := range []string{
		"<Deleted><Key>team/a</Key>", "<Deleted><Key>team/none</Key>",
		"<Error><Key>private/a</Key><Code>AccessDenied</Code>", "<Error><Key>.sluice/x</Key><Code>AccessDenied</Code>",
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%s is not in the answer %v", want, got)
		}
	}
	r.holds(t, "media", map[string]string{"team/b": "team/b", "private/a": "private/a"})
}

// TestRightsHideReservedKeys: what Sluice keeps in a store no client sees.
func TestRightsHideReservedKeys(t *testing.T) {
	r := startWithRights(t)
	for _, name := range []string{"old", "new"} {
		putBehind(t, r.store(t, name, ""), mirror.Reserved+"marker.json", "its own")
	}
	r.put(t, "/media/seen", "seen")
	for _, query := range []string{"", "list-type=2", "delimiter=/", "list-type=2&delimiter=/", "prefix=.sluice/", "list-type=2&prefix=.s"} {
		got := r.must(t, 200, "", ask{method: "GET", path: "/media?" + query})
		keys := strings.Count(got.body, "<Key>")
		if strings.Contains(got.body, "<Key>.sluice") || strings.Contains(got.body, "<CommonPrefixes>") || !strings.Contains(query, "prefix") && keys != 1 {
			t.Errorf("%q: %v", query, got)
		}
	}
}

// TestRightsOfEveryone: without a signature objects of an open bucket are read,
// and nothing else.
func TestRightsOfEveryone(t *testing.T) {
	r := startWithRights(t)
	r.put(t, "/public/a", "for everyone")
	r.put(t, "/media/a", "for some")
	for _, c := range []struct {
		name, method, path string
		status             int
		code               string
	}{
		{"GET", "GET", "/public/a", 200, ""},
		{"HEAD", "HEAD", "/public/a", 200, ""},
		{"absent", "GET", "/public/none", 404, "NoSuchKey"},
		{"cache-buster", "GET", "/public/a?1600000000", 200, ""},
		{"list", "GET", "/public", 403, "AccessDenied"},
		{"list 2", "GET", "/public?list-type=2", 403, "AccessDenied"},
		{"uploads", "GET", "/public?uploads", 403, "AccessDenied"},
		{"buckets", "GET", "/", 403, "AccessDenied"},
		{"HEAD bucket", "HEAD", "/public", 403, ""},
		{"PUT", "PUT", "/public/b", 403, "AccessDenied"},
		{"DELETE", "DELETE", "/public/a", 403, "AccessDenied"},
		{"DeleteObjects", "POST", "/public?delete", 403, "AccessDenied"},
		{"upload", "POST", "/public/b?uploads", 403, "AccessDenied"},
		{"tags", "GET", "/public/a?tagging", 403, "AccessDenied"},
		{"ACL", "GET", "/public/a?acl", 403, "AccessDenied"},
		{"policy", "GET", "/public?policy", 403, "AccessDenied"},
		{"reserved", "GET", "/public/.sluice/a", 403, "AccessDenied"},
		{"GET a version", "GET", "/public/a?versionId=null", 403, "AccessDenied"},
		{"GET with an override", "GET", "/public/a?response-content-type=text/html", 400, "InvalidRequest"},
		{"HEAD with an override", "HEAD", "/public/a?response-cache-control=no-store", 400, ""},
		{"closed bucket", "GET", "/media/a", 403, "AccessDenied"},
		{"closed bucket, override", "GET", "/media/a?response-content-type=text/html", 403, "AccessDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := r.must(t, c.status, c.code, ask{method: c.method, path: c.path, unsigned: true})
			if c.status == 200 && c.method == "GET" && got.body != "for everyone" {
				t.Errorf("got %v", got)
			}
			if c.code == "InvalidRequest" && !strings.Contains(got.body, "cannot be used for anonymous GET requests") {
				t.Errorf("got %v", got)
			}
		})
	}
	t.Run("a wrong signature is no anonymous client", func(t *testing.T) {
		r.must(t, 403, "SignatureDoesNotMatch", ask{method: "GET", path: "/public/a", key: accessKey, secret: "wrong"})
	})
	t.Run("override, signed", func(t *testing.T) {
		got := r.must(t, 200, "", ask{method: "GET", path: "/public/a?response-content-type=text/html"})
		if got.header.Get("Content-Type") != "text/html" {
			t.Errorf("got %v", got)
		}
	})
	r.quiet(t)
	for _, name := range []string{"public-old", "public-new"} {
		if got := contentOf(t, r.store(t, name, "")); fmt.Sprint(got) != "map[a:for everyone]" {
			t.Errorf("%s holds %v", name, got)
		}
	}
}
