package differential

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (g *generator) create() *step {
	st := newStep("create", "POST", g.anyKey()).bare("uploads")
	st.uploadID = g.made
	g.describe(st)
	if g.often(20) {
		st.set("X-Amz-Checksum-Algorithm", strings.ToUpper(one(g, checksumKinds...)))
		if g.often(50) {
			st.set("X-Amz-Checksum-Type", one(g, "COMPOSITE", "FULL_OBJECT", "nonsense"))
		}
	}
	return st
}

// anUpload is mostly one that is open.
func (g *generator) anUpload() *upload {
	var open []*upload
	for _, u := range g.m.uploads {
		if !u.done {
			open = append(open, u)
		}
	}
	if len(open) > 0 && !g.often(8) {
		return one(g, open[max(0, len(open)-4):]...)
	}
	return one(g, g.m.uploads...)
}

// onUpload is a request on an upload; at times with an id that is none.
func (g *generator) onUpload(op, method string, u *upload) *step {
	st := newStep(op, method, u.key)
	st.uploadID = u.id
	id := fmt.Sprintf("{{upload %d}}", u.id)
	if g.often(4) {
		id, st.uploadID = one(g, "garbage", "Z2FyYmFnZQ", "../../x"), 0
		if method != "DELETE" && g.often(30) { // without an id MinIO aborts all uploads of the key
			id = ""
		}
	} else if g.often(2) {
		st.key, st.uploadID = g.anyKey(), 0
	}
	return st.with("uploadId", id)
}

func (g *generator) partOf(u *upload, n int, body []byte) *step {
	st := newStep("part", "PUT", u.key).with("partNumber", strconv.Itoa(n)).with("uploadId", fmt.Sprintf("{{upload %d}}", u.id))
	st.body, st.uploadID = body, u.id
	return st
}

// part is the part's number; 0 if the step names none.
func (s *step) part() int {
	for _, p := range s.query {
		if p.name == "partNumber" {
			n, _ := strconv.Atoi(p.value)
			return n
		}
	}
	return 0
}

func (g *generator) part() *step {
	st := g.onUpload("part", "PUT", g.anUpload()).with("partNumber", g.partNumber())
	st.body = content(g.Uint64(), g.size())
	if g.often(4) {
		st.body = content(g.Uint64()%3, 5<<20)
	}
	g.integrity(st)
	return st
}

func (g *generator) partCopy() *step {
	st := g.onUpload("part copy", "PUT", g.anUpload()).with("partNumber", g.partNumber())
	source := g.existing()
	if g.often(40) {
		source = largeKey
	}
	g.copySource(st, source)
	switch n := g.IntN(100); {
	case n < 30:
		st.set("X-Amz-Copy-Source-Range", fmt.Sprintf("bytes=0-%d", g.IntN(500)))
	case n < 45:
		st.set("X-Amz-Copy-Source-Range", fmt.Sprintf("bytes=0-%d", 5<<20-1))
	case n < 60:
		st.set("X-Amz-Copy-Source-Range", one(g, "bytes=5-", "bytes=-5", "bytes=9-3", "nonsense", "bytes=0-99999999", "bytes=99999999-99999999", ""))
	}
	return st
}

func (g *generator) completeOf(u *upload, numbers []int) *step {
	st := newStep("complete", "POST", u.key).with("uploadId", fmt.Sprintf("{{upload %d}}", u.id))
	st.uploadID, st.body = u.id, completeXML(u, numbers)
	return st
}

func completeXML(u *upload, numbers []int) []byte {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for _, n := range numbers {
		etag := u.parts[n]
		if etag == "" {
			etag = `"0123456789abcdef0123456789abcdef"`
		}
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, etag)
	}
	b.WriteString("</CompleteMultipartUpload>")
	return []byte(b.String())
}

func (g *generator) complete() *step {
	u := g.anUpload()
	st := g.onUpload("complete", "POST", u)
	numbers := sorted(u.parts)
	if g.often(50) && len(numbers) > 1 { // small parts are refused: one alone is not
		numbers = numbers[:1]
	}
	switch g.IntN(16) {
	case 0:
		slices.Reverse(numbers)
	case 1:
		numbers = append(numbers, one(g, 9, 10001, 0, -1))
	case 2:
		numbers = append(numbers, numbers...)
	}
	st.body = completeXML(u, numbers)
	switch g.IntN(24) {
	case 0:
		st.body = []byte(one(g, "", "nonsense", "<CompleteMultipartUpload>", "<Other></Other>", "<CompleteMultipartUpload></CompleteMultipartUpload>"))
	case 1:
		st.body = []byte(strings.ReplaceAll(string(st.body), `"`, one(g, "", "&quot;", "&#34;")))
	case 2:
		st.body = []byte(strings.Replace(string(st.body), "<ETag>", "<ETag>0", 1))
	case 3:
		g.writeConditions(st)
	}
	return st
}

func (g *generator) abort() *step { return g.onUpload("abort", "DELETE", g.anUpload()) }

func (g *generator) listParts() *step {
	st := g.onUpload("list parts", "GET", g.anUpload())
	g.maybeNumber(st, "max-parts", 1, 2)
	g.maybeNumber(st, "part-number-marker", 1, 2, 3)
	if g.often(5) {
		st.with("encoding-type", one(g, "url", "nonsense"))
	}
	return st
}

func (g *generator) listUploads() *step {
	u := g.anUpload()
	st := newStep("list uploads", "GET", "").bare("uploads")
	switch g.IntN(4) {
	case 0, 1:
		st.with("prefix", u.key)
	case 2:
		st.with("prefix", g.prefix())
	}
	if g.often(20) {
		st.with("delimiter", one(g, "/", "", "i"))
	}
	g.maybeNumber(st, "max-uploads", 1, 2)
	if g.often(15) {
		st.with("key-marker", one(g, u.key, "a", "zz"))
		if g.often(50) {
			st.with("upload-id-marker", one(g, fmt.Sprintf("{{upload %d}}", u.id), "garbage", ""))
		}
	}
	if g.often(10) {
		st.with("encoding-type", one(g, "url", "nonsense"))
	}
	return st
}
