package differential

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// generator makes one step after the other. The same seed and the same answers
// give the same steps.
type generator struct {
	*rand.Rand
	m        *model
	features map[string]bool
	made     int
}

func newGenerator(seed uint64, features map[string]bool) *generator {
	return &generator{
		Rand: rand.New(rand.NewPCG(seed, 0)), features: features, m: &model{objects: make(map[string]object)},
	}
}

// one picks an element.
func one[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// often is true in percent of the calls.
func (g *generator) often(percent int) bool { return g.IntN(100) < percent }

// next makes a step.
func (g *generator) next() *step {
	g.made++
	if g.made <= len(opening) {
		return opening[g.made-1](g)
	}
	all, sum := g.weights(), 0
	for _, w := range all {
		sum += w.weight
	}
	n := g.IntN(sum)
	for _, w := range all {
		if n -= w.weight; n < 0 {
			return g.finish(w.make())
		}
	}
	panic("not reached")
}

type weighted struct {
	weight int
	make   func() *step
}

func (g *generator) weights() []weighted {
	all := []weighted{
		{24, g.put},
		{22, g.get},
		{8, g.copy},
		{6, g.delete},
		{3, g.deleteMany},
		{14, g.list},
		{4, g.create},
		{9, g.part},
		{3, g.partCopy},
		{5, g.complete},
		{2, g.abort},
		{5, g.listParts},
		{4, g.listUploads},
		{5, g.nonsense},
		{2, g.bucket},
	}
	if g.features["tagging"] {
		all = append(all, weighted{10, g.tagging})
	}
	return all
}

// finish gives some steps another proof of who asks, or another spelling.
func (g *generator) finish(st *step) *step {
	if g.often(15) {
		st.loose = true
	}
	if st.auth != hashed {
		return st
	}
	switch n := g.IntN(100); {
	case n < 6 && st.header.Get("If-Match") == "":
		st.auth = presigned
	case n < 12:
		st.auth = unsignedPayload
	case n < 15:
		st.auth = one(g, wrongHash, expired, anonymous, wrongSecret, unknownAccessKey)
	}
	return st
}

const largeKey = "large/object"

// opening steps make an object worth copying ranges of.
var opening = []func(*generator) *step{
	func(*generator) *step {
		st := newStep("put", "PUT", largeKey)
		st.body = content(1, 5<<20+100<<10)
		return st
	},
	func(g *generator) *step {
		st := newStep("create", "POST", largeKey+" in parts").bare("uploads")
		st.uploadID = g.made
		return st
	},
	func(g *generator) *step { return g.partOf(g.m.uploads[0], 1, content(2, 5<<20)) },
	func(g *generator) *step { return g.partOf(g.m.uploads[0], 2, content(3, 1000)) },
	func(g *generator) *step { return g.completeOf(g.m.uploads[0], []int{1, 2}) },
}

// names of objects: a few plain ones, so that requests meet, and the odd ones.
var (
	plainKeys = []string{"a", "b.txt", "dir/a", "dir/b", "dir/sub/c", "dir2/x", "z"}
	oddKeys   = []string{
		"with space", "plus+plus", "pct%2Fslash", "pct%zz", "ü/日本 語", "u\u0308", "sharp#q?x=1&y=2", "~'()*!@$:;,=",
		"folder/", "dou//ble", "/leading", "a/./b", "a/../b", ".", "..", "./a", "back\\slash", "<&>\"'",
		"control\x01", "line\nbreak", "tab\t", "\xff\xfe", "dir", "dir/a/below", " ", "end ", "😀",
		strings.Repeat("k", 255), strings.Repeat("k", 256), strings.Repeat("long/", 204) + "1024",
		strings.Repeat("long/", 204) + "10255", strings.Repeat("é", 512), strings.Repeat("é/", 341) + "y",
	}
)

func (g *generator) anyKey() string {
	if g.often(22) {
		return one(g, oddKeys...)
	}
	return one(g, plainKeys...)
}

// existing is mostly the name of an object that is there.
func (g *generator) existing() string {
	keys := g.m.keys()
	if len(keys) == 0 || g.often(12) {
		return g.anyKey()
	}
	if g.often(4) {
		return largeKey + " in parts"
	}
	return one(g, keys...)
}

// etag is the object's, or another, quoted or not.
func (g *generator) etag(key string) string {
	right := g.m.objects[key].etag
	if right == "" {
		right = `"d41d8cd98f00b204e9800998ecf8427e"`
	}
	switch g.IntN(8) {
	case 0, 1, 2:
		return right
	case 3:
		return strings.Trim(right, `"`)
	case 4:
		return "*"
	case 5:
		return `"0123", ` + right
	case 6:
		return "W/" + right
	}
	return `"0123456789abcdef0123456789abcdef"`
}

// date is the object's, or another, or none.
func (g *generator) date(key string) string {
	if strings.ContainsAny(key, "{}") || g.often(60) {
		return one(g, "Sat, 01 Jan 2000 00:00:00 GMT", time.Now().Add(-time.Hour).UTC().Format(time.RFC1123), "yesterday")
	}
	return "{{date " + key + "}}"
}

func (g *generator) size() int {
	switch n := g.IntN(100); {
	case n < 10:
		return 0
	case n < 20:
		return 1
	case n < 88:
		return 1 + g.IntN(3000)
	case n < 97:
		return 70 << 10
	}
	return 1_200_000
}

// integrity adds what a client can promise about a body, right and wrong.
func (g *generator) integrity(st *step) {
	body := st.body
	if g.often(15) {
		body = append([]byte("not "), body...)
	}
	switch n := g.IntN(100); {
	case n < 10:
		st.set("Content-MD5", md5Base64(body))
	case n < 12:
		st.set("Content-MD5", one(g, "nonsense", "", base64.StdEncoding.EncodeToString([]byte("short"))))
	case n < 28:
		kind := one(g, checksumKinds...)
		st.set("X-Amz-Checksum-"+kind, checksum(kind, body))
		if g.often(30) {
			st.set("X-Amz-Sdk-Checksum-Algorithm", strings.ToUpper(kind))
		}
	case n < 30:
		st.set("X-Amz-Checksum-Crc32", one(g, "nonsense", "AAAA", ""))
	case n < 32:
		st.set("X-Amz-Checksum-Crc32", checksum("crc32", st.body)).set("X-Amz-Checksum-Sha1", checksum("sha1", st.body))
	case n < 48:
		st.auth, st.trailer = one(g, streamed, streamed, streamedTrailer, unsignedTrailer, unsignedTrailer, wrongTrailer), one(g, checksumKinds...)
	}
}

// maybeNumber is a value for a parameter that counts.
func (g *generator) maybeNumber(st *step, name string, good ...int) {
	switch n := g.IntN(100); {
	case n < 40:
		st.with(name, strconv.Itoa(one(g, good...)))
	case n < 48:
		st.with(name, one(g, "0", "-1", "1000", "1001", "garbage", "", "99999999999", "2147483647", "1.5", "+1"))
	}
}

// integer spells a part number, wrong at times.
func (g *generator) partNumber() string {
	if g.often(6) {
		return one(g, "0", "10001", "-1", "x", "", "10000")
	}
	return fmt.Sprint(1 + g.IntN(4))
}
