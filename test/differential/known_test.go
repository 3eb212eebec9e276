package differential

import (
	"slices"
	"strings"
)

// defect is what is wrong with the gateway, and how to know it.
type defect struct {
	what  string
	match func(st *step, one difference, d, g *answer) bool
}

// known are the gateway's defects that this test found, until they are mended.
// A difference that none of them explains fails the test.
var known = []defect{
	{
		"a body in unsigned chunks whose trailer ends in an empty line more, as minio-go sends it over TLS, is refused as malformed",
		func(st *step, one difference, _, g *answer) bool {
			return slices.Contains([]auth{unsignedTrailer, wrongTrailer}, st.auth) && one.what == "status" && g.verdict() == "400 InvalidRequest"
		},
	},
	{
		"a checksum that comes as a trailer is checked and then dropped: neither the answer nor the object has it",
		func(st *step, one difference, _, g *answer) bool {
			name, ok := strings.CutPrefix(one.what, "header ")
			return ok && st.auth == streamedTrailer && strings.HasPrefix(name, "X-Amz-Checksum-") && g.header.Get(name) == ""
		},
	},
	{
		"a part whose checksum comes as a trailer does not reach an upload that asks for checksums: the store misses it",
		func(st *step, one difference, d, g *answer) bool {
			return st.op == "part" && st.trailer != "" && d.status == 200 && g.verdict() == "400 InvalidArgument"
		},
	},
	{
		"a CopyObject with directive COPY, of a source that the new store has as a background copy, puts the request's headers on the new store's object",
		func(st *step, one difference, _, g *answer) bool {
			name, ok := strings.CutPrefix(one.what, "header ")
			return ok && st.op == "get" && describing(name) && strings.Contains(one.text, `: "", gateway`) &&
				!strings.Contains(g.header.Get("Cache-Status"), `"old"`)
		},
	},
	{
		"ListParts leaves out the checksums of the parts, their algorithm and their type",
		func(st *step, one difference, _, _ *answer) bool {
			return st.op == "list parts" && strings.Contains(one.what, "/Checksum") && strings.HasSuffix(one.text, "gateway (none)")
		},
	},
	{
		"ListMultipartUploads names other upload ids than CreateMultipartUpload gave out",
		func(st *step, one difference, _, _ *answer) bool {
			return st.op == "list uploads" && (strings.HasSuffix(one.what, "Upload/UploadId") || strings.HasSuffix(one.what, "UploadIdMarker"))
		},
	},
	{
		"a part number that the object does not have is answered InvalidRange, not InvalidPartNumber",
		func(st *step, one difference, d, g *answer) bool {
			return st.op == "get" && d.verdict() == "416 InvalidPartNumber" && g.verdict() == "416 InvalidRange"
		},
	},
	{
		"an unsatisfiable range is answered 416 although a condition asks for a 304 or a 412 before",
		func(st *step, one difference, d, g *answer) bool {
			return st.op == "get" && st.header.Get("Range") != "" && (d.status == 304 || d.status == 412) && g.status == 416
		},
	},
	{
		"HEAD with a range answers the checksum of the whole object for a part of it",
		func(st *step, one difference, d, g *answer) bool {
			return st.method == "HEAD" && g.status == 206 && strings.HasPrefix(one.what, "header X-Amz-Checksum-") && strings.Contains(one.text, `: "", gateway`)
		},
	},
	{
		"a listing names a key with U+FFFE or U+FFFF as it is, which makes the whole document no XML",
		func(st *step, one difference, _, _ *answer) bool {
			return one.what == "XML" && strings.Contains(one.text, "direct: <nil>") && strings.Contains(one.text, "illegal character code U+FFF")
		},
	},
	{
		"HEAD with a part number answers 200 for the part, without Content-Range, not 206",
		func(st *step, one difference, d, g *answer) bool {
			return st.method == "HEAD" && st.has("partNumber") && d.status == 206 && g.status == 200
		},
	},
	{
		"a HEAD that the store refuses with 400, and a copy of such a source, is answered 503: the client tries it again",
		func(st *step, one difference, d, g *answer) bool {
			return (st.method == "HEAD" || st.op == "copy" || st.op == "part copy") && d.status == 400 && g.status == 503
		},
	},
	{
		"one key that the store refuses spoils a DeleteObjects: it and, where MinIO then leaves out their names, the deleted ones are answered ServiceUnavailable",
		func(st *step, one difference, _, g *answer) bool {
			return st.op == "delete many" && strings.HasPrefix(one.what, "element DeleteResult/") && strings.Contains(string(g.body), "ServiceUnavailable")
		},
	},
}

// knownDefect is the defect that explains the difference, or "".
func knownDefect(st *step, one difference, d, g *answer) string {
	for _, k := range known {
		if k.match(st, one, d, g) {
			return k.what
		}
	}
	return ""
}

// describing tells whether a header stays with an object.
func describing(name string) bool {
	return slices.Contains([]string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}, name) ||
		strings.HasPrefix(name, "X-Amz-Meta-")
}
