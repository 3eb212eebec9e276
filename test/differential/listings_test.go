package differential

func (g *generator) prefix() string {
	return one(g, "", "d", "dir", "dir/", "dir/sub/", "dir2/", "large/", "ü/", "nothing", "/", "plus+", "with ", "long/", ".", "a/", "pct%")
}

func (g *generator) list() *step {
	st := newStep("list", "GET", "")
	v2 := g.often(60)
	if v2 {
		st.with("list-type", "2")
	}
	if g.often(45) {
		st.with("prefix", g.prefix())
	}
	if g.often(45) {
		st.with("delimiter", one(g, "/", "/", "/", "i", "", "//", "ir/"))
	}
	g.maybeNumber(st, "max-keys", 1, 2, 3, 5)
	if g.often(25) {
		st.with("encoding-type", one(g, "url", "url", "url", "", "nonsense"))
	}
	if v2 {
		g.listV2(st)
	} else if g.often(35) {
		st.with("marker", one(g, "{{marker}}", "{{marker}}", "a", "dir/", "dir/a", "zz", "", g.anyKey()))
	}
	return st
}

func (g *generator) listV2(st *step) {
	if g.often(25) {
		st.with("fetch-owner", one(g, "true", "false", "nonsense"))
	}
	if g.often(25) {
		st.with("continuation-token", one(g, "{{token}}", "{{token}}", "{{token}}", "", "garbage"))
	}
	if g.often(20) {
		st.with("start-after", one(g, "a", "dir/", "dir/a", "zz", "", g.anyKey()))
	}
}

// bucket asks about the bucket itself, or about all.
func (g *generator) bucket() *step {
	switch g.IntN(3) {
	case 0:
		return newStep("head bucket", "HEAD", "")
	case 1:
		return newStep("bucket location", "GET", "").bare("location")
	}
	st := one(g, g.put, g.get, g.list, g.delete, g.create)()
	st.op, st.bucket = "other bucket", one(g, "no-such-bucket", "no-such-bucket", "A", "no_such..bucket")
	if st.header.Get("X-Amz-Copy-Source") != "" {
		st.header.Del("X-Amz-Copy-Source")
	}
	return st
}

// nonsense is what no client should send.
func (g *generator) nonsense() *step {
	key := g.existing()
	switch g.IntN(6) {
	case 0:
		return newStep("wrong method", one(g, "POST", "PATCH", "OPTIONS", "BREW"), key)
	case 1:
		return newStep("wrong method", one(g, "PATCH", "POST", "BREW"), "")
	case 2:
		return newStep("sub-resource", one(g, "GET", "GET", "HEAD"), key).bare(one(g, "unknown", "torrent", "cors", "x-id"))
	case 3:
		st := newStep("get", "GET", key)
		return st.with(one(g, "unknown", "x-id", "foo"), "GetObject")
	case 4:
		st := g.put()
		st.with("partNumber", "1")
		st.op = "put with parameter"
		return st
	}
	st := newStep("get", one(g, "GET", "HEAD", "DELETE"), key)
	st.query = []param{{name: one(g, "uploadId", "versionId", "partNumber"), bare: true}}
	if st.method == "DELETE" { // without an id MinIO aborts all uploads of the key
		st.op, st.query[0].name = "delete", one(g, "versionId", "partNumber")
	}
	return st
}
