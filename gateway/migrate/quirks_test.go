package migrate_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/backends/quirky"
	"sluice/gateway/cache"
	"sluice/gateway/mirror"
)

// quirkyRig is a rig whose old store has some quirks and whose new store has
// others; both were probed.
func quirkyRig(t *testing.T, old, new quirky.Quirks) (r *rig, oldServer, newServer *quirky.Server) {
	t.Helper()
	begin := func(name string, q quirky.Quirks) (*quirky.Server, *faulty.Store, backends.Profile) {
		server := quirky.Start(q)
		t.Cleanup(server.Close)
		store, err := server.Store(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Close)
		p, err := backends.Probe(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		if !p.ACLs {
			return server, faulty.Wrap(kept(t, store)), p
		}
		return server, faulty.Wrap(store), p
	}
	// The sizes that matter have cases of their own; megabytes take their time.
	if old.LargestPut == 0 && new.LargestPut == 0 {
		old.SmallestPart, new.SmallestPart = 64<<10, 64<<10
	}
	r = newRig(t, func(r *rig, _ *mirror.Phase) {
		r.partSize = old.SmallestPart
		oldServer, r.old, r.oldProfile = begin("old", old)
		newServer, r.new, r.newProfile = begin("new", new)
	})
	return r, oldServer, newServer
}

const crcName = "X-Amz-Checksum-Crc32"

func crcOf(content string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(content))))
}

// providers are the quirks of stores as they are met.
var providers = map[string]quirky.Quirks{
	"S3":                        {},
	"S3, bucket owner enforced": {RefuseACLs: "AccessControlListNotSupported"},
	"S3 with SSE-KMS":           {OddETags: true},
	"R2":                        {RefuseACLs: "NotImplemented", NoTags: true, EqualParts: true},
	"B2":                        {RefuseACLs: "InvalidArgument", NoTags: true, RefuseChecksums: true, RefuseConditions: true},
	"old Ceph":                  {ForgetChecksums: true, NoTrailers: true, IgnoreConditions: true},
	"pages by marker alone":     {V1Only: true, NoPartReads: true},
	"small PUTs":                {LargestPut: 6 << 20, EqualParts: true},
	"one write at a time":       {OneWrite: 300 * time.Millisecond},
}

func TestQuirks(t *testing.T) {
	for name, q := range providers {
		t.Run("secondary "+name, func(t *testing.T) {
			t.Parallel() // some stores make one wait
			r, _, server := quirkyRig(t, quirky.Quirks{}, q)
			exercise(r, q)
			if n := server.OpenUploads(); n > 0 {
				t.Errorf("%d uploads stay open on the secondary", n)
			}
		})
		t.Run("primary "+name, func(t *testing.T) {
			t.Parallel()
			r, _, _ := quirkyRig(t, q, quirky.Quirks{})
			exercise(r, q)
		})
	}
}

// exercise does what clients do, as far as the primary lets them, and waits until both
// stores are equal.
func exercise(r *rig, q quirky.Quirks) {
	r.t.Helper()
	acl := http.Header{"X-Amz-Acl": {"public-read"}, crcName: {crcOf("with ACL")}, "X-Amz-Tagging": {"a=b"}}
	if err := r.send("acl", "with ACL", acl, nil, false); err != nil {
		r.refusedBy(err, q.NoTags)
		r.settled("acl", absent)
	} else {
		r.settled("acl", "with ACL")
	}
	trailer := &backends.Trailer{Name: crcName, Value: func() string { return crcOf("with trailer") }}
	r.ok(r.send("trailer", "with trailer", nil, trailer, false))
	r.settled("trailer", "with trailer")
	r.cache.Remove(cache.Key{Bucket: "b", Name: "trailer"})
	r.new.SetDown(true)
	o, _, err := r.bucket.Get(r.t.Context(), backends.GetRequest{
		Key: "trailer", Header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}, Range: "bytes=0-3",
	})
	r.want("a read that asks for checksums", content(r.t, o, err), "with")
	r.new.SetDown(false)
	if err := r.send("trailer", "again", nil, nil, true); err == nil {
		r.ok(r.judged(q))
		r.settled("trailer", "again")
	} else {
		r.refusedBy(err, errors.Is(err, backends.ErrPrecondition) || q.RefuseConditions || q.OneWrite > 0)
		r.settled("trailer", "with trailer")
	}
	r.uploads(q)
	r.pages()
}

// judged: a primary that ignores conditions is the only one to let the second create through.
func (r *rig) judged(q quirky.Quirks) error {
	if !q.IgnoreConditions || r.oldProfile.ConditionalCreate {
		return errors.New("a second create succeeded")
	}
	return nil
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Error(err)
	}
}

// refusedBy checks that an error is the primary's own answer.
func (r *rig) refusedBy(err error, expected bool) {
	r.t.Helper()
	var e *backends.Error
	if !expected || !errors.As(err, &e) || e.Store != "old" {
		r.t.Errorf("error %v; expected from the primary: %v", err, expected)
	}
}

func (r *rig) send(key, content string, h http.Header, trailer *backends.Trailer, create bool) error {
	_, err := r.bucket.Put(r.t.Context(), backends.PutRequest{
		Key: key, Body: strings.NewReader(content), Size: int64(len(content)), Header: h, Trailer: trailer, IfNoneMatch: create,
	})
	return err
}

// uploads uploads in parts of unequal size, copies the object, and has one copied
// that new lacks.
func (r *rig) uploads(q quirky.Quirks) {
	r.t.Helper()
	size := cmp.Or(r.partSize, 5<<20)
	unequal := strings.Repeat("0123456789abcdef", size/7) // a part, then a larger one
	if err := r.upload("video", unequal, nil); err != nil {
		r.refusedBy(err, q.EqualParts)
		r.settled("video", absent)
		unequal = unequal[:size+size/5]
		r.ok(r.upload("video", unequal, nil))
	}
	r.settled("video", unequal)
	if _, err := r.bucket.Copy(r.t.Context(), r.bucket, backends.CopyRequest{Key: "copied", SourceKey: "video"}); err != nil {
		r.t.Error(err)
	}
	r.settled("copied", unequal)
	r.ok(r.upload("lacking", unequal, nil))
	r.settled("lacking", unequal)
	r.untilNotSlow(func() error {
		_, err := r.new.Store.Delete(r.t.Context(), backends.DeleteRequest{Key: "lacking"})
		return err
	})
	r.untilNotSlow(func() error {
		_, err := r.bucket.Backfill(r.t.Context(), mirror.Copy{Key: "lacking"})
		return err
	})
	r.settled("lacking", unequal)
}

// untilNotSlow runs a write of the new store again while it is told to come later.
func (r *rig) untilNotSlow(write func() error) {
	r.t.Helper()
	for range 100 {
		err := write()
		if !errors.Is(err, backends.ErrSlowDown) {
			r.ok(err)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.t.Error("told to slow down for ever")
}

// pages lists one key a page, as a client does.
func (r *rig) pages() {
	r.t.Helper()
	var got []string
	for o, err := range backends.Walk(r.t.Context(), r.bucketReader(), backends.ListRequest{MaxKeys: 1}) {
		if err != nil {
			r.t.Error(err)
			return
		}
		got = append(got, o.Key)
	}
	r.want("listed", strings.Join(got, " "), strings.TrimPrefix("acl copied lacking trailer video",
		map[bool]string{true: "acl "}[r.read("acl") == absent]))
}

// bucketReader lists what clients see.
func (r *rig) bucketReader() backends.Reader { return listing{r.old, r.bucket} }

type listing struct {
	backends.Reader
	bucket *mirror.Bucket
}

func (l listing) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	return l.bucket.List(ctx, r)
}

// TestSlowKeyIsNotPressed: a key that takes one write a second is repaired with
// pauses, not in a loop.
func TestSlowKeyIsNotPressed(t *testing.T) {
	r, _, server := quirkyRig(t, quirky.Quirks{}, quirky.Quirks{OneWrite: time.Second})
	probing := server.Slowed()
	for _, content := range []string{"one", "two", "three"} {
		r.mustPut("k", content)
	}
	r.settled("k", "three")
	if n := server.Slowed() - probing; n == 0 || n > 15 {
		t.Errorf("%d requests were told to slow down", n)
	}
}

// TestCopiesKeepChecksums: what the repairer and a backfill bring over has the checksum
// of the original. Seen to fail without sumOf.
func TestCopiesKeepChecksums(t *testing.T) {
	r, _, _ := quirkyRig(t, quirky.Quirks{}, quirky.Quirks{})
	large := strings.Repeat("0123456789abcdef", 400<<10)
	r.new.SetDown(true)
	r.ok(r.send("small", "content", http.Header{crcName: {crcOf("content")}}, nil, false))
	r.ok(uploadWithSums(t.Context(), r.bucket, "composite", large, "COMPOSITE"))
	r.ok(uploadWithSums(t.Context(), r.bucket, "full", large, "FULL_OBJECT"))
	r.new.SetDown(false)
	r.settled("small", "content")
	r.settled("composite", large)
	r.settled("full", large)
	for _, key := range []string{"small", "composite", "full"} {
		ask := backends.GetRequest{Key: key, Header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}}
		p, err := r.old.Head(t.Context(), ask)
		s, err2 := r.new.Head(t.Context(), ask)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{crcName, "X-Amz-Checksum-Type"} {
			if p.Header.Get(name) == "" || p.Header.Get(name) != s.Header.Get(name) {
				t.Errorf("%s: %s is %q on the primary, %q on the secondary", key, name, p.Header.Get(name), s.Header.Get(name))
			}
		}
	}
}

func uploadWithSums(ctx context.Context, b *mirror.Bucket, key, content, kind string) error {
	up, err := b.CreateUpload(ctx, backends.CreateUploadRequest{
		Key: key, Header: http.Header{"X-Amz-Checksum-Algorithm": {"CRC32"}, "X-Amz-Checksum-Type": {kind}},
	})
	if err != nil {
		return err
	}
	complete := backends.CompleteRequest{Key: key, UploadID: up.UploadID}
	for i, piece := range []string{content[:5<<20], content[5<<20:]} {
		res, err := b.UploadPart(ctx, backends.PartRequest{
			Key: key, UploadID: up.UploadID, Number: i + 1, Body: strings.NewReader(piece), Size: int64(len(piece)),
			Header: http.Header{crcName: {crcOf(piece)}},
		})
		if err != nil {
			return err
		}
		complete.Parts = append(complete.Parts, backends.CompletedPart{
			Number: i + 1, ETag: res.ETag, Checksum: map[string]string{"ChecksumCRC32": crcOf(piece)},
		})
	}
	_, err = b.CompleteUpload(ctx, complete)
	return err
}

// TestTagsStayOnThePrimary: a secondary without tags gets the object without them.
func TestTagsStayOnThePrimary(t *testing.T) {
	r, _, _ := quirkyRig(t, quirky.Quirks{}, quirky.Quirks{NoTags: true})
	tagged := http.Header{"X-Amz-Tagging": {url.Values{"a": {"b"}}.Encode()}}
	r.ok(r.send("k", "content", tagged, nil, false))
	r.settled("k", "content")
	if n := r.new.Calls("PutObject"); n != 1 {
		t.Errorf("%d writes on the secondary, want 1", n)
	}
	r.new.SetDown(true)
	r.ok(r.send("k", "repaired", tagged, nil, false))
	r.new.SetDown(false)
	r.settled("k", "repaired")
	if tags, err := backends.Tags(t.Context(), r.old, "k"); err != nil || tags.Get("a") != "b" {
		t.Errorf("tags on the primary: %v, %v", tags, err)
	}
}

// TestCopiesKeepTheStorageClass, where the secondary knows it. (Seen to fail without
// the second try: the key was repaired for ever.)
func TestCopiesKeepTheStorageClass(t *testing.T) {
	for name, c := range map[string]struct {
		quirks quirky.Quirks
		want   string
	}{"known": {quirky.Quirks{}, "GLACIER_IR"}, "unknown": {quirky.Quirks{OneClass: true}, ""}} {
		t.Run(name, func(t *testing.T) {
			r, _, _ := quirkyRig(t, quirky.Quirks{}, c.quirks)
			r.new.SetDown(true)
			r.ok(r.send("k", "content", http.Header{"X-Amz-Storage-Class": {"GLACIER_IR"}}, nil, false))
			r.new.SetDown(false)
			r.settled("k", "content")
			info, err := r.new.Head(t.Context(), backends.GetRequest{Key: "k"})
			if err != nil || info.Header.Get("X-Amz-Storage-Class") != c.want {
				t.Errorf("class %q, %v; want %q", info.Header.Get("X-Amz-Storage-Class"), err, c.want)
			}
			// One that reaches both at once is refused by the one, and repaired.
			r.ok(r.send("k", "again", http.Header{"X-Amz-Storage-Class": {"GLACIER_IR"}}, nil, false))
			r.settled("k", "again")
		})
	}
}

// TestIgnoredSubresourceReplacesNothing: a store that overlooks what a query says
// would take an object's tags for the object. It is not asked. (Seen to fail without
// the profile: the content on new was the document.)
func TestIgnoredSubresourceReplacesNothing(t *testing.T) {
	tagging := backends.SubresourceRequest{
		Op: "PutObjectTagging", Method: http.MethodPut, Key: "k", Query: url.Values{"tagging": {""}},
		Body: []byte("<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"),
	}
	ignoring := quirky.Quirks{IgnoreSubresources: true}
	r, _, _ := quirkyRig(t, quirky.Quirks{}, ignoring)
	r.mustPut("k", "content")
	if _, err := r.bucket.ChangeSubresource(t.Context(), tagging); err != nil {
		t.Errorf("the secondary's lack is the client's trouble: %v", err)
	}
	r.settled("k", "content")
	if r.bucket.Missed()["PutObjectTagging"] == "" {
		t.Error("not noted")
	}
	r, _, _ = quirkyRig(t, ignoring, quirky.Quirks{})
	r.mustPut("k", "content")
	if _, err := r.bucket.ChangeSubresource(t.Context(), tagging); !errors.Is(err, backends.ErrNotSupported) {
		t.Errorf("error %v, want ErrNotSupported", err)
	}
	r.settled("k", "content")
}
