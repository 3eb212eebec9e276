package migrate_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/backends/quirky"
	"sluice/gateway/mirror"
)

// TestHazard12MetadataLost: a copy has what the original has beside its content.
// Without one of the names in describing, or without tags, ACL or class in attributes
// and copyObject, that is lost.
func TestHazard12MetadataLost(t *testing.T) {
	header := http.Header{
		"Content-Type": {"image/x-test"}, "Cache-Control": {"max-age=1"}, "Content-Disposition": {"inline"},
		"Content-Encoding": {"x-test"}, "Content-Language": {"de"}, "Expires": {"Fri, 01 Jan 2100 00:00:00 GMT"},
		"X-Amz-Website-Redirect-Location": {"/elsewhere"}, "X-Amz-Meta-Colour": {"blue"},
		"X-Amz-Storage-Class": {"STANDARD_IA"},
	}
	asked := header.Clone()
	asked.Set("X-Amz-Tagging", "a=b")
	asked.Set("X-Amz-Acl", "public-read")
	for name, way := range map[string]func(r *rig){
		"backfill": func(r *rig) { r.directly(asked); r.ok(r.backfill("k")) },
		"read":     func(r *rig) { r.directly(asked); r.want("read", r.read("k"), "content") },
		"repair": func(r *rig) {
			r.new.SetDown(true)
			r.ok(r.send("k", "content", asked, nil, false))
			r.new.SetDown(false)
		},
		"both at once": func(r *rig) { r.ok(r.send("k", "content", asked, nil, false)) },
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				way(r)
				r.settled("k", "content")
				r.describes(r.new, header)
			})
		})
	}
}

// directly puts an object with a header on old behind the gateway's back.
func (r *rig) directly(h http.Header) {
	_, err := r.old.Store.Put(r.t.Context(), backends.PutRequest{Key: "k", Body: strings.NewReader("content"), Size: 7, Header: h})
	r.ok(err)
}

// describes compares what a store tells of "k" with a header, and its tags and ACL with
// those of the tests.
func (r *rig) describes(s *faulty.Store, want http.Header) {
	r.t.Helper()
	info, err := s.Store.Head(r.t.Context(), backends.GetRequest{Key: "k"})
	if err != nil {
		r.t.Fatal(err)
	}
	for field := range want {
		r.want(field, info.Header.Get(field), want.Get(field))
	}
	tags, err := backends.Tags(r.t.Context(), s.Store, "k")
	r.ok(err)
	r.want("tags", tags.Encode(), "a=b")
	acl, err := backends.CannedACL(r.t.Context(), s.Store, "k")
	r.ok(err)
	r.want("ACL", acl, "public-read")
}

// TestHazard12ChangedWithTheSameETag: an object's content stays as it is, and the
// secondary misses what else changes. Without the comparison of describing (equal), or
// without sameAttributes, the repair finds the stores equal.
func TestHazard12ChangedWithTheSameETag(t *testing.T) {
	for name, change := range map[string]func(r *rig) error{
		"metadata": func(r *rig) error {
			_, err := r.bucket.Copy(r.t.Context(), r.bucket, backends.CopyRequest{
				Key: "k", SourceKey: "k",
				Header: http.Header{"X-Amz-Metadata-Directive": {"REPLACE"}, "Content-Type": {"text/new"}, "X-Amz-Acl": {"public-read"}},
			})
			return err
		},
		"written again": func(r *rig) error {
			return r.send("k", "content", http.Header{"Content-Type": {"text/new"}, "X-Amz-Tagging": {"a=b"}, "X-Amz-Acl": {"public-read"}}, nil, false)
		},
		"tags": func(r *rig) error {
			return r.document("PutObjectTagging", "tagging", nil, "<Tagging><TagSet><Tag><Key>c</Key><Value>d</Value></Tag></TagSet></Tagging>")
		},
		"ACL": func(r *rig) error {
			return r.document("PutObjectAcl", "acl", http.Header{"X-Amz-Acl": {"private"}}, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.ok(r.send("k", "content", http.Header{
					"Content-Type": {"text/old"}, "X-Amz-Tagging": {"a=b"}, "X-Amz-Acl": {"public-read"},
				}, nil, false))
				r.new.SetDown(true)
				r.ok(change(r))
				r.new.SetDown(false)
				r.settled("k", "content")
				r.want("new", r.attributes(r.new), r.attributes(r.old))
			})
		})
	}
}

// document changes a document that hangs on "k".
func (r *rig) document(op, sub string, h http.Header, body string) error {
	_, err := r.bucket.ChangeSubresource(r.t.Context(), backends.SubresourceRequest{
		Op: op, Method: http.MethodPut, Key: "k", Query: url.Values{sub: {""}}, Header: h, Body: []byte(body),
	})
	return err
}

// attributes are the type, the tags and the ACL of "k" on a store.
func (r *rig) attributes(s *faulty.Store) string {
	r.t.Helper()
	info, err := s.Store.Head(r.t.Context(), backends.GetRequest{Key: "k"})
	if err != nil {
		r.t.Fatal(err)
	}
	tags, err := backends.Tags(r.t.Context(), s.Store, "k")
	r.ok(err)
	acl, err := backends.CannedACL(r.t.Context(), s.Store, "k")
	r.ok(err)
	return strings.Join([]string{info.Header.Get("Content-Type"), tags.Encode(), acl}, " ")
}

// TestHazard13ETagTakenForContent: ETags that differ prove no difference, and those that
// are no hashes prove nothing.
func TestHazard13ETagTakenForContent(t *testing.T) {
	odd, plain := quirky.Quirks{OddETags: true}, quirky.Quirks{}
	// Without etags in equal the repair writes new once more.
	t.Run("other ETag, same content", func(t *testing.T) {
		r, _, _ := quirkyRig(t, plain, odd)
		r.new.Fail(faulty.Fault{Op: "PutObject", Times: 1, After: r.new.Unknown("PutObject", "k")})
		r.mustPut("k", "one")
		r.settled("k", "one")
		if n := r.new.Calls("PutObject"); n != 1 {
			t.Errorf("%d writes on new", n)
		}
	})
	// Without comparableETags in Put's doubt every write is left to the repairer.
	t.Run("other ETag, written to both", func(t *testing.T) {
		r, _, _ := quirkyRig(t, plain, odd)
		r.mustPut("k", "one")
		if n := r.new.Calls("HeadObject"); n != 0 || r.bucket.Pending() != 0 {
			t.Errorf("the write was left to the repairer (%d HEADs)", n)
		}
	})
	// With a sameContent that answers yes new keeps other content of the same size.
	t.Run("other content", func(t *testing.T) {
		r, _, _ := quirkyRig(t, plain, odd)
		r.mustPut("k", "one")
		r.new.Fail(faulty.Fault{Op: "PutObject", Times: 1, Before: denied})
		r.mustPut("k", "two")
		r.settled("k", "two")
	})
	// Without comparableETags in secondaryMayAnswer the ETag changes with the store that
	// answers.
	t.Run("seen by clients", func(t *testing.T) {
		r, _, _ := quirkyRig(t, plain, odd)
		r.mustPut("k", "one")
		seen := make(map[string]bool)
		for _, key := range []string{"", "k"} {
			if key != "" {
				r.quiet()
			}
			info, served, err := r.bucket.Head(t.Context(), backends.GetRequest{Key: "k"})
			r.ok(err)
			r.want("served by", served.Store, "old")
			seen[info.ETag] = true
		}
		if len(seen) != 1 {
			t.Errorf("ETags %v", seen)
		}
	})
	// Without the part layout of a copy (copyWith) the ETag of an upload changes when
	// new serves it. "-N" is no hash of the content: the same bytes have another one.
	t.Run("of an upload", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.ok(r.upload2("k", "content"))
			r.quiet()
			r.direct(r.new, "k", "content") // another ETag, the same bytes
			r.new.Fail(faulty.Fault{Op: "PutObjectAcl", Times: 1, Before: denied})
			r.ok(r.document("PutObjectAcl", "acl", http.Header{"X-Amz-Acl": {"private"}}, ""))
			r.settled("k", "content")
			synctest.Wait()
			p, err := r.old.Store.Head(t.Context(), backends.GetRequest{Key: "k"})
			r.ok(err)
			s, err := r.new.Store.Head(t.Context(), backends.GetRequest{Key: "k"})
			r.ok(err)
			r.want("ETag on new", s.ETag, p.ETag)
		})
	})
}

// TestHazard14BehindOurBack: somebody writes to old directly.
func TestHazard14BehindOurBack(t *testing.T) {
	// With a HEAD of its own for the headers of a copy (backfill) new has the headers of
	// one state and the content of the other.
	t.Run("while it is copied", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.directly(http.Header{"Content-Type": {"text/one"}})
			g := hold(r.old, "GetObject", "k")
			done := background(func() error { return r.backfill("k") })
			r.await(g)
			r.direct(r.old, "k", "replaced")
			close(g.open)
			r.ok(<-done)
			o, err := r.new.Store.Head(t.Context(), backends.GetRequest{Key: "k"})
			r.ok(err)
			r.want("its type", o.Header.Get("Content-Type"), "binary/octet-stream")
			r.settled("k", "replaced")
		})
	})
	// Without If-Match on the source of a copy (opened.take) the same.
	t.Run("while it is repaired", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.directly(http.Header{"Content-Type": {"text/one"}})
			r.ok(r.backfill("k"))
			r.new.SetDown(true)
			r.ok(r.document("PutObjectAcl", "acl", http.Header{"X-Amz-Acl": {"public-read"}}, ""))
			g := hold(r.old, "GetObject", "k")
			r.new.SetDown(false)
			r.await(g)
			r.direct(r.old, "k", "another")
			close(g.open)
			synctest.Wait()
			r.want("new", r.on(r.new, "k"), "content")
			r.settled("k", "another")
		})
	})
	// Without If-Match on the source of a part (copyPart) new has the first part of one
	// state and the second of the other.
	t.Run("while it is copied in parts", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.parts(r.old.Store, "aaaa", "bbbb")
			whole, part := hold(r.old, "GetObject", "k"), hold(r.old, "GetObject", "k")
			done := background(func() error { return r.backfill("k") })
			r.await(whole)
			close(whole.open)
			r.await(part)
			synctest.Wait() // the other part is on new
			r.parts(r.old.Store, "cccc", "dddd")
			close(part.open)
			<-done
			r.want("new", r.on(r.new, "k"), absent)
			r.ok(r.backfill("k"))
			r.settled("k", "ccccdddd")
		})
	})
	// Without the fall-back to old in readStores a new object is not found.
	t.Run("a new object", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			r.want("read", r.read("k"), "one")
			r.quiet()
			r.settled("k", "one")
		})
	})
	// With reads that ask new first in spite of the setting (readStores) the former
	// state is read.
	t.Run("a replaced object, reads: primary", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.mustPut("k", "one")
			r.direct(r.old, "k", "two")
			r.want("read", r.read("k"), "two")
		}, func(r *rig, _ *mirror.Phase) { r.settings.ReadPrimary = true })
	})
}

// parts uploads "k" in two parts behind the gateway's back.
func (r *rig) parts(s backends.Store, contents ...string) {
	r.t.Helper()
	ctx := context.WithoutCancel(r.t.Context())
	up, err := s.CreateUpload(ctx, backends.CreateUploadRequest{Key: "k"})
	if err != nil {
		r.t.Fatal(err)
	}
	c := backends.CompleteRequest{Key: "k", UploadID: up.UploadID}
	for i, content := range contents {
		res, err := s.UploadPart(ctx, backends.PartRequest{
			Key: "k", UploadID: up.UploadID, Number: i + 1, Body: strings.NewReader(content), Size: int64(len(content)),
		})
		if err != nil {
			r.t.Fatal(err)
		}
		c.Parts = append(c.Parts, backends.CompletedPart{Number: i + 1, ETag: res.ETag})
	}
	if _, err := s.CompleteUpload(ctx, c); err != nil {
		r.t.Fatal(err)
	}
}

// TestHazard13PartETagsTakenForContent: new's ETags are no MD5 hashes (SSE-KMS), and the
// profile says so. Where sameParts compared the ETags of parts whenever both looked like
// MD5, no upload was assembled on new: each was copied there by the repairer.
func TestHazard13PartETagsTakenForContent(t *testing.T) {
	r, _, _ := quirkyRig(t, quirky.Quirks{}, quirky.Quirks{OddETags: true})
	large := strings.Repeat("0123456789abcdef", 400<<10)
	r.ok(r.upload("video", large, nil))
	r.settled("video", large)
	if n := r.new.Calls("CreateMultipartUpload"); n != 1 {
		t.Errorf("%d uploads on new", n)
	}
}
