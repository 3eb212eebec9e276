package goclients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

// minioClient is MinIO's client at the gateway.
type minioClient struct {
	minio.Core
	wire *recorder
}

// newMinIO is a client that sends checksums behind the body (trailers), in signed
// chunks, or in headers.
func newMinIO(t *testing.T, s *stage.Stage, trailers bool) *minioClient {
	wire := newRecorder(t, true)
	core, err := minio.NewCore(strings.TrimPrefix(s.Gateway.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(process.AccessKey, process.SecretKey, ""), Region: "us-east-1", Transport: wire,
		BucketLookup: minio.BucketLookupPath, TrailingHeaders: trailers,
		MaxRetries: 1, // a retry would hide a wrong answer
	})
	ok(t, err)
	return &minioClient{Core: *core, wire: wire}
}

// TestMinIOClient: every answer to minio-go is right; then both stores hold the
// same.
func TestMinIOClient(t *testing.T) {
	s := stage.Start(t)
	makeCalls(t, s, newMinIO(t, s, true))
}

func (c *minioClient) tryPut(ctx context.Context, key string, content []byte, o minio.PutObjectOptions) (minio.UploadInfo, error) {
	return c.Client.PutObject(ctx, process.Bucket, key, bytes.NewReader(content), int64(len(content)), o)
}

func (c *minioClient) put(t *testing.T, key string, content []byte, o minio.PutObjectOptions) minio.UploadInfo {
	t.Helper()
	return must[minio.UploadInfo](t)(c.tryPut(t.Context(), key, content, o))
}

// get reads an object, or what o asks for of it.
func (c *minioClient) get(ctx context.Context, key string, o minio.GetObjectOptions) ([]byte, minio.ObjectInfo, error) {
	body, info, _, err := c.Core.GetObject(ctx, process.Bucket, key, o)
	if err != nil {
		return nil, info, err
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	return content, info, err
}

func (c *minioClient) holds(t *testing.T, key string, want []byte) {
	t.Helper()
	got, _, err := c.get(t.Context(), key, minio.GetObjectOptions{})
	ok(t, err)
	sameBytes(t, key, got, want)
}

func (c *minioClient) stat(t *testing.T, key string) minio.ObjectInfo {
	t.Helper()
	return must[minio.ObjectInfo](t)(c.StatObject(t.Context(), process.Bucket, key, minio.StatObjectOptions{}))
}

// refusedMinIO wants an error of this status and one of these codes.
func refusedMinIO(t *testing.T, what string, err error, status int, codes ...string) {
	t.Helper()
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) || answer.StatusCode != status {
		t.Fatalf("%s: %v (%d), want %d %v", what, err, answer.StatusCode, status, codes)
	}
	for _, code := range codes {
		if answer.Code == code {
			return
		}
	}
	t.Fatalf("%s: %s (%v), want %v", what, answer.Code, err, codes)
}

func (c *minioClient) absent(t *testing.T, key string) {
	t.Helper()
	_, err := c.StatObject(t.Context(), process.Bucket, key, minio.StatObjectOptions{})
	refusedMinIO(t, "StatObject", err, 404, "NoSuchKey")
	_, _, err = c.get(t.Context(), key, minio.GetObjectOptions{})
	refusedMinIO(t, "GetObject", err, 404, "NoSuchKey")
}

// objects: one object is written, looked at, read, and read under conditions.
func (c *minioClient) objects(t *testing.T) {
	key, content := "minio/objects/file.png", stage.Random(t, 100_000)
	info := c.put(t, key, content, minio.PutObjectOptions{
		ContentType: "image/png", CacheControl: cacheControl, StorageClass: "STANDARD",
		UserMetadata: map[string]string{"x-amz-acl": "public-read"}, // a header, not metadata
	})
	same(t, "ETag of PutObject", info.ETag, etagOf(content))
	same(t, "headers of PutObject", []string{c.wire.sent("PUT", "Expect"), c.wire.sent("PUT", "X-Amz-Acl")}, []string{"100-continue", "public-read"})
	stat := c.stat(t, key)
	same(t, "headers of StatObject", []string{stat.ETag, stat.ContentType, stat.Metadata.Get("Cache-Control")},
		[]string{etagOf(content), "image/png", cacheControl})
	same(t, "length of StatObject", stat.Size, int64(len(content)))
	c.holds(t, key, content)
	c.put(t, "minio/objects/empty", nil, minio.PutObjectOptions{})
	c.holds(t, "minio/objects/empty", nil)
	c.absent(t, "minio/objects/never-was")
	c.conditions(t, key, content)
	for rng, want := range map[[2]int64][]byte{{0, 0}: content[:1], {100, 199}: content[100:200], {99_990, 0}: content[99_990:], {0, -7}: content[99_993:]} {
		var o minio.GetObjectOptions
		ok(t, o.SetRange(rng[0], rng[1]))
		got, _, err := c.get(t.Context(), key, o)
		ok(t, err)
		sameBytes(t, fmt.Sprint("range ", rng), got, want)
	}
	var behind minio.GetObjectOptions
	ok(t, behind.SetRange(100_000, 0))
	_, _, err := c.get(t.Context(), key, behind)
	refusedMinIO(t, "a range behind the end", err, 416, "InvalidRange")
	c.put(t, key, content[:500], minio.PutObjectOptions{})
	c.holds(t, key, content[:500])
}

func (c *minioClient) conditions(t *testing.T, key string, content []byte) {
	var matching, other, except minio.GetObjectOptions
	ok(t, errors.Join(matching.SetMatchETag(etagOf(content)), other.SetMatchETag("0"), except.SetMatchETagExcept(etagOf(content))))
	got, _, err := c.get(t.Context(), key, matching)
	ok(t, err)
	sameBytes(t, "body under If-Match", got, content)
	_, _, err = c.get(t.Context(), key, other)
	refusedMinIO(t, "If-Match", err, 412, "PreconditionFailed")
	_, err = c.StatObject(t.Context(), process.Bucket, key, except)
	refusedMinIO(t, "If-None-Match", err, 304, "304 Not Modified") // there is no body to hold a code
}

// multipart: 17 MiB go up in parts of 5 MiB, four at a time, and are read whole, by
// range and by part.
func (c *minioClient) multipart(t *testing.T) {
	key, content := "minio/multipart/video.mp4", stage.Random(t, 17*mib)
	parts := partsOf(content)
	info := c.put(t, key, content, minio.PutObjectOptions{
		ContentType: "video/mp4", CacheControl: cacheControl, PartSize: 5 * mib, NumThreads: 4,
		UserMetadata: map[string]string{"x-amz-acl": "public-read"},
	})
	same(t, "ETag of the upload", info.ETag, etagOf(parts...))
	stat := c.stat(t, key)
	same(t, "headers", []string{stat.ETag, stat.ContentType, stat.Metadata.Get("Cache-Control")}, []string{info.ETag, "video/mp4", cacheControl})
	c.holds(t, key, content)
	var border minio.GetObjectOptions
	ok(t, border.SetRange(5*mib-10, 5*mib+9))
	got, _, err := c.get(t.Context(), key, border)
	ok(t, err)
	sameBytes(t, "a range over a border", got, content[5*mib-10:5*mib+10])

	stat = must[minio.ObjectInfo](t)(c.StatObject(t.Context(), process.Bucket, key, minio.StatObjectOptions{PartNumber: 1}))
	same(t, "length of HEAD ?partNumber=1", stat.Headers.Get("Content-Length"), fmt.Sprint(len(parts[0])))
	same(t, "parts of HEAD ?partNumber=1", stat.Headers.Get("X-Amz-Mp-Parts-Count"), fmt.Sprint(len(parts)))
	for i, part := range parts {
		got, info, err := c.get(t.Context(), key, minio.GetObjectOptions{PartNumber: i + 1})
		ok(t, err)
		same(t, "number of parts", info.Headers.Get("X-Amz-Mp-Parts-Count"), fmt.Sprint(len(parts)))
		sameBytes(t, fmt.Sprint("part ", i+1), got, part)
	}

	// A stream of unknown length, with buffers in parallel.
	must[minio.UploadInfo](t)(c.Client.PutObject(t.Context(), process.Bucket, "minio/multipart/stream", io.MultiReader(bytes.NewReader(content)), -1,
		minio.PutObjectOptions{PartSize: 5 * mib, NumThreads: 4, ConcurrentStreamParts: true}))
	c.holds(t, "minio/multipart/stream", content)
}

// aborted: an upload that is given up leaves nothing.
func (c *minioClient) aborted(t *testing.T) {
	key, part := "minio/multipart/aborted", stage.Random(t, 5*mib)
	id := must[string](t)(c.NewMultipartUpload(t.Context(), process.Bucket, key, minio.PutObjectOptions{}))
	sent := must[minio.ObjectPart](t)(c.PutObjectPart(t.Context(), process.Bucket, key, id, 1, bytes.NewReader(part), int64(len(part)),
		minio.PutObjectPartOptions{}))
	same(t, "ETag of a part", sent.ETag, etagOf(part))
	listed := must[minio.ListObjectPartsResult](t)(c.ListObjectParts(t.Context(), process.Bucket, key, id, 0, 10))
	same(t, "parts", len(listed.ObjectParts), 1)
	same(t, "size of the part", listed.ObjectParts[0].Size, int64(len(part)))
	uploads := must[minio.ListMultipartUploadsResult](t)(c.ListMultipartUploads(t.Context(), process.Bucket, key, "", "", "", 10))
	same(t, "uploads under way", len(uploads.Uploads), 1)
	ok(t, c.AbortMultipartUpload(t.Context(), process.Bucket, key, id))
	_, err := c.ListObjectParts(t.Context(), process.Bucket, key, id, 0, 10)
	refusedMinIO(t, "ListObjectParts after the abort", err, 404, "NoSuchUpload")
	uploads = must[minio.ListMultipartUploadsResult](t)(c.ListMultipartUploads(t.Context(), process.Bucket, key, "", "", "", 10))
	same(t, "uploads after the abort", len(uploads.Uploads), 0)
	c.absent(t, key)
}

// deletes: one object, no object, and hundreds in one request. minio-go always
// asks for quiet answers unless it is to give the results.
func (c *minioClient) deletes(t *testing.T) {
	c.put(t, "minio/deletes/one", []byte("1"), minio.PutObjectOptions{})
	for range 2 { // the second finds nothing, which is success
		ok(t, c.RemoveObject(t.Context(), process.Bucket, "minio/deletes/one", minio.RemoveObjectOptions{}))
	}
	c.absent(t, "minio/deletes/one")
	for _, quiet := range []bool{false, true} {
		prefix := fmt.Sprintf("minio/deletes/%v/", quiet)
		keys := doomedKeys(prefix)
		var puts errgroup.Group
		puts.SetLimit(16)
		for _, key := range keys {
			puts.Go(func() error { _, err := c.tryPut(t.Context(), key, []byte("x"), minio.PutObjectOptions{}); return err })
		}
		ok(t, puts.Wait())
		keys = append(keys, "minio/deletes/never-was")
		if quiet {
			for e := range c.RemoveObjects(t.Context(), process.Bucket, objects(keys), minio.RemoveObjectsOptions{}) {
				t.Errorf("%s: %v", e.ObjectName, e.Err)
			}
		} else {
			same(t, "deleted", c.deleteAll(t, keys), sorted(keys))
		}
		same(t, "objects after DeleteObjects", c.list(t, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}), nil)
	}
}

// objects gives the keys out as minio-go takes them.
func objects(keys []string) <-chan minio.ObjectInfo {
	all := make(chan minio.ObjectInfo, len(keys))
	for _, key := range keys {
		all <- minio.ObjectInfo{Key: key}
	}
	close(all)
	return all
}

// deleteAll deletes the keys in one request and answers those named in the answer.
func (c *minioClient) deleteAll(t *testing.T, keys []string) []string {
	t.Helper()
	var deleted []string
	for result := range c.RemoveObjectsWithResult(t.Context(), process.Bucket, objects(keys), minio.RemoveObjectsOptions{}) {
		ok(t, result.Err)
		deleted = append(deleted, result.ObjectName)
	}
	return sorted(deleted)
}

// list lists keys and common prefixes.
func (c *minioClient) list(t *testing.T, o minio.ListObjectsOptions) []string {
	t.Helper()
	var keys []string
	for info := range c.Client.ListObjects(t.Context(), process.Bucket, o) {
		ok(t, info.Err)
		keys = append(keys, info.Key)
	}
	return keys
}

// acls: minio-go has no call for a canned ACL, so the request is presigned.
// Mastodon goes on when that is not implemented, so both will do.
func (c *minioClient) acls(t *testing.T) {
	c.put(t, "minio/acl", []byte("acl"), minio.PutObjectOptions{})
	header := http.Header{"X-Amz-Acl": {"public-read"}}
	signed, err := c.PresignHeader(t.Context(), http.MethodPut, process.Bucket, "minio/acl", time.Minute, url.Values{"acl": {""}}, header)
	ok(t, err)
	status, _, body := fetch(t, http.MethodPut, signed.String(), header, nil)
	if status != http.StatusOK && (status != http.StatusNotImplemented || !bytes.Contains(body, []byte("<Code>NotImplemented</Code>"))) {
		t.Errorf("PutObjectAcl: status %d: %s", status, body)
	}
	c.holds(t, "minio/acl", []byte("acl"))
}

// copies within the bucket keep the source's metadata, or replace it.
func (c *minioClient) copies(t *testing.T) {
	source, content := "minio/copies/the source+ü.txt", stage.Random(t, 3000)
	c.put(t, source, content, minio.PutObjectOptions{
		ContentType: "text/x-source", CacheControl: cacheControl, UserMetadata: map[string]string{"colour": "blue"},
	})
	from := minio.CopySrcOptions{Bucket: process.Bucket, Object: source}
	info := must[minio.UploadInfo](t)(c.Client.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: process.Bucket, Object: "minio/copies/plain"}, from))
	same(t, "ETag of a copy", info.ETag, etagOf(content))
	must[minio.UploadInfo](t)(c.Client.CopyObject(t.Context(), minio.CopyDestOptions{
		Bucket: process.Bucket, Object: "minio/copies/replaced", ReplaceMetadata: true,
		ContentType: "text/x-copy", CacheControl: "no-cache", UserMetadata: map[string]string{"name": "copy"},
	}, from))
	ok(t, c.RemoveObject(t.Context(), process.Bucket, source, minio.RemoveObjectOptions{}))
	c.absent(t, source)
	c.copied(t, "minio/copies/plain", content, "text/x-source", cacheControl, map[string]string{"colour": "blue"})
	c.copied(t, "minio/copies/replaced", content, "text/x-copy", "no-cache", map[string]string{"name": "copy"})
	_, err := c.Client.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: process.Bucket, Object: "minio/copies/none"}, from)
	refusedMinIO(t, "a copy of nothing", err, 404, "NoSuchKey")
}

// copied looks at what a copy holds.
func (c *minioClient) copied(t *testing.T, key string, content []byte, contentType, cacheControl string, metadata map[string]string) {
	t.Helper()
	stat := c.stat(t, key)
	same(t, "headers of "+key, []string{stat.ContentType, stat.Metadata.Get("Cache-Control")}, []string{contentType, cacheControl})
	same(t, "metadata of "+key, lower(stat.UserMetadata), metadata)
	c.holds(t, key, content)
}

// lists: pages of both versions, with every way to go on.
func (c *minioClient) lists(t *testing.T) {
	prefix := "minio/lists/"
	keys, directories := listedKeys(prefix)
	for _, key := range keys {
		c.put(t, key, []byte(key), minio.PutObjectOptions{})
	}
	for _, v1 := range []bool{false, true} {
		o := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: 7, UseV1: v1}
		same(t, fmt.Sprint("pages, version 1: ", v1), c.list(t, o), keys)
		o.Recursive, o.MaxKeys = false, 2
		same(t, fmt.Sprint("pages with a delimiter, version 1: ", v1), sorted(c.list(t, o)), sorted(append(directories, prefix+"top")))
	}
	var found []string
	for after := prefix; ; after = found[len(found)-1] {
		page := must[minio.ListBucketV2Result](t)(c.ListObjectsV2(process.Bucket, prefix, after, "", "", 10))
		if len(page.Contents) == 0 {
			same(t, "IsTruncated of an empty page", page.IsTruncated, false)
			break
		}
		for _, o := range page.Contents {
			found = append(found, o.Key)
			same(t, "ETag and size of "+o.Key, fmt.Sprint(strings.Trim(o.ETag, `"`), " ", o.Size), fmt.Sprint(etagOf([]byte(o.Key)), " ", len(o.Key)))
		}
	}
	same(t, "ListObjectsV2 by start-after", found, keys)
}

// presigned: URLs for a plain HTTP client, and the same URLs bent.
func (c *minioClient) presigned(t *testing.T) {
	key, content := "minio/presigned/a b+ü.bin", stage.Random(t, 5000)
	put := must[*url.URL](t)(c.PresignedPutObject(t.Context(), process.Bucket, key, time.Minute)).String()
	status, header, body := fetch(t, http.MethodPut, put, http.Header{"Content-Type": {"text/x-test"}}, content)
	same(t, "status of a presigned PUT: "+string(body), status, 200)
	same(t, "ETag of a presigned PUT", header.Get("ETag"), `"`+etagOf(content)+`"`)
	status, _, _ = fetch(t, http.MethodGet, put, nil, nil)
	same(t, "status of a GET with the URL for a PUT", status, 403)

	get := must[*url.URL](t)(c.PresignedGetObject(t.Context(), process.Bucket, key, time.Minute, url.Values{"response-content-type": {"text/x-other"}})).String()
	status, header, body = fetch(t, http.MethodGet, get, nil, nil)
	same(t, "a presigned GET", fmt.Sprint(status, header["Content-Type"]), "200 [text/x-other]")
	sameBytes(t, "body of a presigned GET", body, content)
	stage.Presigned(t, get, "a%20b", "a%20c", content)
	same(t, "the type that is kept", c.stat(t, key).ContentType, "text/x-test")
}

// keys: odd names in every place a name stands in.
func (c *minioClient) keys(t *testing.T) {
	var keys, copied []string
	for _, name := range oddNames {
		key, other := "minio/keys/"+name, "minio/copied/"+name
		keys, copied = append(keys, key), append(copied, other)
		c.put(t, key, []byte(name), minio.PutObjectOptions{})
		c.holds(t, key, []byte(name))
		must[minio.UploadInfo](t)(c.Client.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: process.Bucket, Object: other},
			minio.CopySrcOptions{Bucket: process.Bucket, Object: key}))
		c.holds(t, other, []byte(name))
	}
	same(t, "odd keys listed", c.list(t, minio.ListObjectsOptions{Prefix: "minio/keys/", Recursive: true}), sorted(keys))
	same(t, "odd keys deleted", c.deleteAll(t, copied), sorted(copied))
	same(t, "odd keys after DeleteObjects", c.list(t, minio.ListObjectsOptions{Prefix: "minio/copied/", Recursive: true}), nil)
}

// metadata and standard headers come back as they were.
func (c *minioClient) metadata(t *testing.T) {
	want := map[string]string{"colour": "blue", "name": `a value, with; signs="quoted"`, "umlaut": "grün 🦈"}
	c.put(t, "minio/metadata", []byte("m"), minio.PutObjectOptions{
		UserMetadata: maps.Clone(want), ContentLanguage: "de", ContentDisposition: `inline; filename="x.txt"`,
	})
	stat := c.stat(t, "minio/metadata")
	same(t, "metadata", lower(stat.UserMetadata), want)
	same(t, "standard headers", []string{stat.Metadata.Get("Content-Language"), stat.Metadata.Get("Content-Disposition")},
		[]string{"de", `inline; filename="x.txt"`})
}

// conditionalWrites: only the first of two creations succeeds.
func (c *minioClient) conditionalWrites(t *testing.T) {
	var create minio.PutObjectOptions
	create.SetMatchETagExcept("*")
	c.put(t, "minio/conditional", []byte("first"), create)
	_, err := c.tryPut(t.Context(), "minio/conditional", []byte("second"), create)
	refusedMinIO(t, "the second creation", err, 412, "PreconditionFailed")
	c.holds(t, "minio/conditional", []byte("first"))
}

// checksums: each algorithm in a trailer; wrong ones as headers store nothing.
func (c *minioClient) checksums(t *testing.T) {
	content := stage.Random(t, 3000)
	for _, algorithm := range []minio.ChecksumType{
		minio.ChecksumCRC32, minio.ChecksumCRC32C, minio.ChecksumCRC64NVME, minio.ChecksumSHA1, minio.ChecksumSHA256,
	} {
		key := "minio/checksums/" + algorithm.String()
		c.put(t, key, content, minio.PutObjectOptions{Checksum: algorithm})
		same(t, "the trailer", strings.ToLower(c.wire.sent("PUT", "X-Amz-Trailer")), strings.ToLower(algorithm.Key()))
		c.holds(t, key, content)
		wrong := algorithm.ChecksumBytes([]byte("other"))
		_, err := c.tryPut(t.Context(), key+"-wrong", content, minio.PutObjectOptions{
			UserMetadata: map[string]string{algorithm.Key(): wrong.Encoded()}, DisableContentSha256: true,
		})
		refusedMinIO(t, "a wrong "+algorithm.String(), err, 400, "BadDigest", "XAmzContentChecksumMismatch")
		c.absent(t, key+"-wrong")
	}
	c.put(t, "minio/checksums/md5", content, minio.PutObjectOptions{SendContentMd5: true})
	if c.wire.sent("PUT", "Content-Md5") == "" {
		t.Error("no Content-MD5 was sent")
	}
	c.holds(t, "minio/checksums/md5", content)
}
