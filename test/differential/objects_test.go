package differential

import (
	"encoding/xml"
	"fmt"
	"strings"
)

func (g *generator) put() *step {
	st := newStep("put", "PUT", g.anyKey())
	st.body = content(g.Uint64(), g.size())
	g.describe(st)
	g.integrity(st)
	g.writeConditions(st)
	return st
}

// describe adds headers that stay with an object.
func (g *generator) describe(st *step) {
	header := func(percent int, name string, values ...string) {
		if g.often(percent) {
			st.set(name, one(g, values...))
		}
	}
	header(50, "Content-Type", "text/plain", "image/png; x=\"y\"", "application/xml", "", "no type", "TEXT/HTML; charset=UTF-8")
	header(12, "Cache-Control", "public, max-age=31536000, immutable", "no-store", "")
	header(10, "Content-Disposition", `attachment; filename="ü.txt"`, "inline")
	header(10, "Content-Encoding", "gzip", "aws-chunked", "gzip,aws-chunked", "br, gzip", "identity")
	header(10, "Content-Language", "de", "en, fr")
	header(8, "Expires", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", "0")
	header(5, "X-Amz-Website-Redirect-Location", "/elsewhere", "https://example.com/", "nowhere")
	header(8, "X-Amz-Storage-Class", "STANDARD", "STANDARD", "REDUCED_REDUNDANCY", "NONSENSE")
	header(20, "X-Amz-Meta-Colour", "blue", "", " spaces  inside ", "=?UTF-8?B?w7w=?=", "a,b")
	header(6, "X-Amz-Meta-name_with.dots", "x")
	header(2, "X-Amz-Meta-Ascii-No", "ü")
	header(2, "X-Amz-Meta-Large", strings.Repeat("m", 1900), strings.Repeat("m", 2100))
	if g.often(3) {
		st.header["X-Amz-Meta-Twice"] = []string{"one", "two"}
	}
	if g.features["acl"] {
		header(5, "X-Amz-Acl", "private", "public-read", "nonsense")
	}
	if g.features["tagging"] {
		header(15, "X-Amz-Tagging", "k=v", "a=1&b=2", "", "k", "k=v&k=w", "aws:x=y", "%zz")
	}
	if g.features["sse"] {
		header(5, "X-Amz-Server-Side-Encryption", "AES256", "aws:kms", "nonsense")
	}
}

func (g *generator) writeConditions(st *step) {
	switch n := g.IntN(100); {
	case n < 6:
		st.set("If-None-Match", "*")
	case n < 12:
		st.set("If-Match", g.etag(st.key))
	case n < 13:
		st.set("If-None-Match", g.etag(st.key))
	case n < 14 && g.features["dates"]:
		st.set(one(g, "If-Modified-Since", "If-Unmodified-Since"), g.date(st.key))
	}
}

func (g *generator) get() *step {
	st := newStep("get", one(g, "GET", "GET", "HEAD"), g.existing())
	if g.often(25) {
		st.set("Range", g.rangeOf(g.m.objects[st.key].size))
	}
	for _, c := range []struct {
		name  string
		value func(string) string
	}{{"If-Match", g.etag}, {"If-None-Match", g.etag}, {"If-Modified-Since", g.date}, {"If-Unmodified-Since", g.date}} {
		if g.often(12) {
			st.set(c.name, c.value(st.key))
		}
	}
	if g.often(4) {
		st.set("If-Range", one(g, g.etag, g.date)(st.key))
	}
	if g.often(7) {
		st.with("partNumber", g.partNumber())
	}
	if g.often(12) {
		g.overrides(st)
	}
	if g.often(15) {
		st.set("X-Amz-Checksum-Mode", one(g, "ENABLED", "ENABLED", "enabled", "x"))
	}
	if g.often(3) {
		st.with("versionId", one(g, "null", "garbage", "", "00000000-0000-0000-0000-000000000000"))
	}
	return st
}

func (g *generator) rangeOf(size int) string {
	at := func() int { return g.IntN(size + 3) }
	switch g.IntN(8) {
	case 0, 1, 2:
		from := at()
		return fmt.Sprintf("bytes=%d-%d", from, from+at())
	case 3:
		return fmt.Sprintf("bytes=%d-", at())
	case 4:
		return fmt.Sprintf("bytes=-%d", at())
	case 5:
		return fmt.Sprintf("bytes=%d-%d", size+10, size+20)
	case 6:
		return one(g, "bytes=0-0,2-3", "bytes=0-1, -1", "bytes=0-0,")
	}
	return one(g, "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "lines=0-1", "0-1", "bytes=0-99999999999999999999", "bytes = 0-1",
		"bytes=0 - 1", "Bytes=0-1", "bytes=-0", "bytes=+1-2", "bytes=--1", "bytes=0-1-2")
}

func (g *generator) overrides(st *step) {
	for _, o := range []param{
		{name: "response-content-type", value: "text/other"},
		{name: "response-cache-control", value: "no-cache"},
		{name: "response-content-disposition", value: `attachment; filename="a b;c.txt"`},
		{name: "response-content-encoding", value: "x-other"},
		{name: "response-content-language", value: "fr"},
		{name: "response-expires", value: "Thu, 01 Dec 1994 16:00:00 GMT"},
	} {
		if g.often(30) {
			if g.often(10) {
				o.value = ""
			}
			st.query = append(st.query, o)
		}
	}
}

func (g *generator) copy() *step {
	source := g.existing()
	target := g.anyKey()
	if g.often(15) {
		target = source
	}
	st := newStep("copy", "PUT", target)
	g.copySource(st, source)
	if g.often(50) {
		st.set("X-Amz-Metadata-Directive", one(g, "COPY", "REPLACE", "REPLACE", "nonsense"))
		g.describe(st)
	}
	return st
}

// copySource names the source in one of the ways that clients do, and adds
// conditions.
func (g *generator) copySource(st *step, source string) {
	value := bucketRef + "/" + encodePath(source)
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		value = "/" + value
	case 4:
		value = bucketRef + "%2F" + encodeAll(source)
	case 5:
		value = "/" + bucketRef + "/" + encodeLoosely(source)
	case 6:
		value += one(g, "?versionId=null", "?versionId=", "?versionId=garbage")
	case 7:
		if g.often(50) {
			value = one(g, "", "/", bucketRef, bucketRef+"/", "/"+bucketRef+"/missing", "%zz", "no-such-bucket/a")
		}
	}
	st.set("X-Amz-Copy-Source", value)
	for _, c := range []struct {
		name  string
		value func(string) string
	}{{"If-Match", g.etag}, {"If-None-Match", g.etag}, {"If-Modified-Since", g.date}, {"If-Unmodified-Since", g.date}} {
		if g.often(8) {
			st.set("X-Amz-Copy-Source-"+c.name, c.value(source))
		}
	}
}

func (g *generator) delete() *step {
	st := newStep("delete", "DELETE", g.existing())
	if g.often(6) {
		st.with("versionId", one(g, "null", "garbage", ""))
	}
	if g.often(5) {
		st.set("If-Match", g.etag(st.key))
	}
	return st
}

func (g *generator) deleteMany() *step {
	st := newStep("delete many", "POST", "").bare("delete")
	var b strings.Builder
	b.WriteString(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	if g.often(40) {
		fmt.Fprintf(&b, "<Quiet>%s</Quiet>", one(g, "true", "false", "nonsense"))
	}
	count := g.IntN(5)
	if g.often(4) {
		count = 1001
	}
	for range count {
		version := ""
		if g.often(5) {
			version = "<VersionId>" + one(g, "null", "garbage", "") + "</VersionId>"
		}
		fmt.Fprintf(&b, "<Object><Key>%s</Key>%s</Object>", xmlText(g.existing()), version)
	}
	b.WriteString("</Delete>")
	st.body = []byte(b.String())
	if g.often(8) {
		st.body = []byte(one(g, "", "<Delete>", "nonsense", "<Delete></Other>", "<Other/>", "<Delete><Object><Key></Key></Object></Delete>"))
	}
	switch n := g.IntN(100); {
	case n < 80:
		st.set("Content-MD5", md5Base64(st.body))
	case n < 90:
		st.set("X-Amz-Checksum-Crc32", checksum("crc32", st.body))
	case n < 94:
		st.set("Content-MD5", md5Base64([]byte("other")))
	}
	return st
}

// named are the keys in a DeleteObjects.
func (s *step) named() []string {
	var request struct {
		Object []struct{ Key string }
	}
	_ = xml.Unmarshal(s.body, &request)
	seen := make(map[string]bool)
	for _, o := range request.Object {
		seen[o.Key] = true
	}
	return sorted(seen)
}

// xmlText is a key inside of XML; what XML can not say is left out.
func xmlText(key string) string {
	key = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFD || r == 0xFFFE {
			return '_'
		}
		return r
	}, key)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(key)
}

func (g *generator) tagging() *step {
	st := newStep("tagging", one(g, "GET", "PUT", "DELETE"), g.existing()).bare("tagging")
	if st.method == "PUT" {
		st.body = []byte(one(g,
			"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
			"<Tagging><TagSet></TagSet></Tagging>", "<Tagging>", "",
			"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>k</Key><Value>w</Value></Tag></TagSet></Tagging>",
			"<Tagging><TagSet><Tag><Key>"+strings.Repeat("k", 129)+"</Key><Value>v</Value></Tag></TagSet></Tagging>"))
		st.set("Content-MD5", md5Base64(st.body))
	}
	return st
}
