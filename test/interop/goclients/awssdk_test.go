//lint:file-ignore SA1019 The upload manager has a successor; what is out there uses this one.

package goclients

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

// bucket is the gateway's, as the SDK wants strings.
var bucket = aws.String(process.Bucket)

// awsClient is Amazon's SDK at the gateway.
type awsClient struct {
	*s3.Client
	wire *recorder
}

func newAWS(t *testing.T, s *stage.Stage) *awsClient {
	wire := newRecorder(t, false)
	return &awsClient{wire: wire, Client: s3.New(s3.Options{
		BaseEndpoint: &s.Gateway.Endpoint, Region: "us-east-1", UsePathStyle: true, HTTPClient: &http.Client{Transport: wire},
		Credentials:                  credentials.NewStaticCredentialsProvider(process.AccessKey, process.SecretKey, ""),
		RequestChecksumCalculation:   aws.RequestChecksumCalculationWhenSupported, // the default of the configuration
		ResponseChecksumValidation:   aws.ResponseChecksumValidationWhenSupported,
		ContinueHeaderThresholdBytes: 1, // Expect: 100-continue for every body
		RetryMaxAttempts:             1, // a retry would hide a wrong answer
	})}
}

// TestAWSSDK: every answer to Amazon's SDK for Go is right; then both stores hold
// the same.
func TestAWSSDK(t *testing.T) {
	s := stage.Start(t)
	makeCalls(t, s, newAWS(t, s))
}

func (c *awsClient) put(t *testing.T, key string, content []byte, options ...func(*s3.PutObjectInput)) *s3.PutObjectOutput {
	t.Helper()
	return must[*s3.PutObjectOutput](t)(c.tryPut(t, key, content, options...))
}

func (c *awsClient) tryPut(t *testing.T, key string, content []byte, options ...func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
	in := &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(content)}
	for _, option := range options {
		option(in)
	}
	return c.PutObject(t.Context(), in)
}

func (c *awsClient) get(t *testing.T, key string, options ...func(*s3.GetObjectInput)) (*s3.GetObjectOutput, []byte) {
	t.Helper()
	in := &s3.GetObjectInput{Bucket: bucket, Key: &key}
	for _, option := range options {
		option(in)
	}
	out := must[*s3.GetObjectOutput](t)(c.GetObject(t.Context(), in))
	defer out.Body.Close()
	return out, must[[]byte](t)(io.ReadAll(out.Body))
}

func (c *awsClient) holds(t *testing.T, key string, want []byte) {
	t.Helper()
	_, got := c.get(t, key)
	sameBytes(t, key, got, want)
}

func (c *awsClient) head(t *testing.T, key string) *s3.HeadObjectOutput {
	t.Helper()
	return must[*s3.HeadObjectOutput](t)(c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: &key}))
}

// refusedAWS wants an error of this status and one of these codes.
func refusedAWS(t *testing.T, what string, err error, status int, codes ...string) {
	t.Helper()
	var answer *awshttp.ResponseError
	var api smithy.APIError
	if !errors.As(err, &answer) || !errors.As(err, &api) {
		t.Fatalf("%s: %v, want %d %v", what, err, status, codes)
	}
	if answer.HTTPStatusCode() != status || !slices.Contains(codes, api.ErrorCode()) {
		t.Fatalf("%s: %d %s, want %d %v (%v)", what, answer.HTTPStatusCode(), api.ErrorCode(), status, codes, err)
	}
}

func (c *awsClient) absent(t *testing.T, key string) {
	t.Helper()
	_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: &key})
	refusedAWS(t, "HeadObject", err, 404, "NotFound")
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
	refusedAWS(t, "GetObject", err, 404, "NoSuchKey")
}

// objects: one object is written, looked at, read, and read under conditions.
func (c *awsClient) objects(t *testing.T) {
	key, content := "awssdk/objects/file.png", stage.Random(t, 100_000)
	etag := `"` + etagOf(content) + `"`
	out := c.put(t, key, content, func(in *s3.PutObjectInput) {
		in.ContentType, in.CacheControl = aws.String("image/png"), aws.String(cacheControl)
		in.ACL, in.StorageClass = types.ObjectCannedACLPublicRead, types.StorageClassStandard
	})
	same(t, "ETag of PutObject", *out.ETag, etag)
	same(t, "Expect of PutObject", c.wire.sent("PUT", "Expect"), "100-continue")
	head := c.head(t, key)
	same(t, "headers of HeadObject", []string{*head.ETag, *head.ContentType, *head.CacheControl}, []string{etag, "image/png", cacheControl})
	same(t, "length of HeadObject", *head.ContentLength, int64(len(content)))
	got, body := c.get(t, key)
	same(t, "headers of GetObject", []string{*got.ETag, *got.ContentType, *got.CacheControl}, []string{etag, "image/png", cacheControl})
	sameBytes(t, "body", body, content)
	c.put(t, "awssdk/objects/empty", nil)
	c.holds(t, "awssdk/objects/empty", nil)
	c.absent(t, "awssdk/objects/never-was")

	_, body = c.get(t, key, func(in *s3.GetObjectInput) { in.IfMatch = &etag })
	sameBytes(t, "body under If-Match", body, content)
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key, IfMatch: aws.String(`"0"`)})
	refusedAWS(t, "If-Match", err, 412, "PreconditionFailed")
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key, IfNoneMatch: &etag})
	refusedAWS(t, "If-None-Match", err, 304, "NotModified")
	for rng, want := range map[string][]byte{"0-0": content[:1], "100-199": content[100:200], "99990-": content[99_990:], "-7": content[99_993:]} {
		_, body := c.get(t, key, func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=" + rng) })
		sameBytes(t, "range "+rng, body, want)
	}
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key, Range: aws.String("bytes=100000-")})
	refusedAWS(t, "a range behind the end", err, 416, "InvalidRange")
	c.put(t, key, content[:500])
	c.holds(t, key, content[:500])
}

// multipart: 17 MiB go up in parts of 5 MiB, four at a time, and are read whole, by
// range and by part.
func (c *awsClient) multipart(t *testing.T) {
	key, content := "awssdk/multipart/video.mp4", stage.Random(t, 17*mib)
	parts := partsOf(content)
	uploader := manager.NewUploader(c.Client, func(u *manager.Uploader) { u.PartSize, u.Concurrency = 5*mib, 4 })
	must[*manager.UploadOutput](t)(uploader.Upload(t.Context(), &s3.PutObjectInput{
		Bucket: bucket, Key: &key, Body: bytes.NewReader(content), ACL: types.ObjectCannedACLPublicRead,
		ContentType: aws.String("video/mp4"), CacheControl: aws.String(cacheControl),
	}))
	head := c.head(t, key)
	same(t, "headers", []string{*head.ETag, *head.ContentType, *head.CacheControl},
		[]string{`"` + etagOf(parts...) + `"`, "video/mp4", cacheControl})
	c.holds(t, key, content)
	downloader := manager.NewDownloader(c.Client, func(d *manager.Downloader) { d.PartSize, d.Concurrency = 4*mib, 4 })
	buffer := manager.NewWriteAtBuffer(nil)
	must[int64](t)(downloader.Download(t.Context(), buffer, &s3.GetObjectInput{Bucket: bucket, Key: &key}))
	sameBytes(t, "a download in ranges", buffer.Bytes(), content)
	_, border := c.get(t, key, func(in *s3.GetObjectInput) { in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", 5*mib-10, 5*mib+9)) })
	sameBytes(t, "a range over a border", border, content[5*mib-10:5*mib+10])

	head = must[*s3.HeadObjectOutput](t)(c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: &key, PartNumber: aws.Int32(1)}))
	same(t, "length of HEAD ?partNumber=1", *head.ContentLength, int64(len(parts[0])))
	same(t, "parts of HEAD ?partNumber=1", *head.PartsCount, int32(len(parts)))
	for i, part := range parts {
		out, got := c.get(t, key, func(in *s3.GetObjectInput) { in.PartNumber = aws.Int32(int32(i + 1)) })
		same(t, "PartsCount", *out.PartsCount, int32(len(parts)))
		sameBytes(t, fmt.Sprint("part ", i+1), got, part)
	}
}

// aborted: an upload that is given up leaves nothing.
func (c *awsClient) aborted(t *testing.T) {
	key, part := aws.String("awssdk/multipart/aborted"), stage.Random(t, 5*mib)
	begun := must[*s3.CreateMultipartUploadOutput](t)(c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key}))
	sent := must[*s3.UploadPartOutput](t)(c.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: bucket, Key: key, UploadId: begun.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(part),
	}))
	same(t, "ETag of a part", *sent.ETag, `"`+etagOf(part)+`"`)
	listParts := &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: begun.UploadId}
	listed := must[*s3.ListPartsOutput](t)(c.ListParts(t.Context(), listParts))
	same(t, "parts", len(listed.Parts), 1)
	same(t, "size of the part", *listed.Parts[0].Size, int64(len(part)))
	listUploads := &s3.ListMultipartUploadsInput{Bucket: bucket, Prefix: key}
	same(t, "uploads under way", len(must[*s3.ListMultipartUploadsOutput](t)(c.ListMultipartUploads(t.Context(), listUploads)).Uploads), 1)
	must[*s3.AbortMultipartUploadOutput](t)(c.AbortMultipartUpload(t.Context(),
		&s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: begun.UploadId}))
	_, err := c.ListParts(t.Context(), listParts)
	refusedAWS(t, "ListParts after the abort", err, 404, "NoSuchUpload")
	same(t, "uploads after the abort", len(must[*s3.ListMultipartUploadsOutput](t)(c.ListMultipartUploads(t.Context(), listUploads)).Uploads), 0)
	c.absent(t, *key)
}

// deletes: one object, no object, and hundreds in one request.
func (c *awsClient) deletes(t *testing.T) {
	c.put(t, "awssdk/deletes/one", []byte("1"))
	for range 2 { // the second finds nothing, which is success
		must[*s3.DeleteObjectOutput](t)(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("awssdk/deletes/one")}))
	}
	c.absent(t, "awssdk/deletes/one")
	for _, quiet := range []bool{false, true} {
		keys := doomedKeys(fmt.Sprintf("awssdk/deletes/%v/", quiet))
		var puts errgroup.Group
		puts.SetLimit(16)
		for _, key := range keys {
			puts.Go(func() error { _, err := c.tryPut(t, key, []byte("x")); return err })
		}
		ok(t, puts.Wait())
		keys = append(keys, "awssdk/deletes/never-was")
		deleted := c.deleteAll(t, keys, quiet)
		if quiet {
			keys = nil
		}
		same(t, fmt.Sprint("deleted, quiet=", quiet), deleted, sorted(keys))
	}
	same(t, "objects after DeleteObjects", c.list(t, "awssdk/deletes/"), nil)
}

// deleteAll deletes the keys in one request and answers those named in the answer.
func (c *awsClient) deleteAll(t *testing.T, keys []string, quiet bool) []string {
	t.Helper()
	var ids []types.ObjectIdentifier
	for _, key := range keys {
		ids = append(ids, types.ObjectIdentifier{Key: &key})
	}
	out := must[*s3.DeleteObjectsOutput](t)(c.DeleteObjects(t.Context(),
		&s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: ids, Quiet: &quiet}}))
	same(t, "errors of DeleteObjects", len(out.Errors), 0)
	var deleted []string
	for _, d := range out.Deleted {
		deleted = append(deleted, *d.Key)
	}
	return sorted(deleted)
}

// list lists the keys below prefix, in pages.
func (c *awsClient) list(t *testing.T, prefix string) []string {
	t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(c.Client, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &prefix, MaxKeys: aws.Int32(7)})
	for pages.HasMorePages() {
		for _, o := range must[*s3.ListObjectsV2Output](t)(pages.NextPage(t.Context())).Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// acls: Mastodon goes on when a canned ACL is not implemented, so both will do.
func (c *awsClient) acls(t *testing.T) {
	key := "awssdk/acl"
	c.put(t, key, []byte("acl"), func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLPrivate })
	_, err := c.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: bucket, Key: &key, ACL: types.ObjectCannedACLPublicRead})
	if err != nil {
		refusedAWS(t, "PutObjectAcl", err, 501, "NotImplemented")
	}
	c.holds(t, key, []byte("acl"))
}

// copies within the bucket keep the source's metadata, or replace it.
func (c *awsClient) copies(t *testing.T) {
	source, content := "awssdk/copies/the source+ü.txt", stage.Random(t, 3000)
	c.put(t, source, content, func(in *s3.PutObjectInput) {
		in.ContentType, in.CacheControl = aws.String("text/x-source"), aws.String(cacheControl)
		in.Metadata = map[string]string{"colour": "blue"}
	})
	from := aws.String(process.Bucket + "/" + escapeKey(source))
	out := must[*s3.CopyObjectOutput](t)(c.CopyObject(t.Context(),
		&s3.CopyObjectInput{Bucket: bucket, Key: aws.String("awssdk/copies/plain"), CopySource: from}))
	same(t, "ETag of a copy", *out.CopyObjectResult.ETag, `"`+etagOf(content)+`"`)
	must[*s3.CopyObjectOutput](t)(c.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: bucket, Key: aws.String("awssdk/copies/replaced"), CopySource: from, ACL: types.ObjectCannedACLPublicRead,
		MetadataDirective: types.MetadataDirectiveReplace, ContentType: aws.String("text/x-copy"),
		CacheControl: aws.String("no-cache"), Metadata: map[string]string{"name": "copy"},
	}))
	must[*s3.DeleteObjectOutput](t)(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: &source}))
	c.absent(t, source)
	c.copied(t, "awssdk/copies/plain", content, "text/x-source", cacheControl, map[string]string{"colour": "blue"})
	c.copied(t, "awssdk/copies/replaced", content, "text/x-copy", "no-cache", map[string]string{"name": "copy"})
	_, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("awssdk/copies/none"), CopySource: from})
	refusedAWS(t, "a copy of nothing", err, 404, "NoSuchKey")
}

// copied looks at what a copy holds.
func (c *awsClient) copied(t *testing.T, key string, content []byte, contentType, cacheControl string, metadata map[string]string) {
	t.Helper()
	out, body := c.get(t, key)
	same(t, "headers of "+key, []string{*out.ContentType, *out.CacheControl}, []string{contentType, cacheControl})
	same(t, "metadata of "+key, lower(out.Metadata), metadata)
	sameBytes(t, key, body, content)
}

// escapeKey is a key as x-amz-copy-source wants it: the SDK sends it as it is.
func escapeKey(key string) string { return strings.ReplaceAll(url.PathEscape(key), "+", "%2B") }

// lists: pages of both versions, with every way to go on.
func (c *awsClient) lists(t *testing.T) {
	prefix := "awssdk/lists/"
	keys, directories := listedKeys(prefix)
	for _, key := range keys {
		c.put(t, key, []byte(key))
	}
	same(t, "ListObjectsV2 by continuation token", c.list(t, prefix), keys)
	var found []string
	for after := prefix; ; after = found[len(found)-1] {
		page := must[*s3.ListObjectsV2Output](t)(c.ListObjectsV2(t.Context(),
			&s3.ListObjectsV2Input{Bucket: bucket, Prefix: &prefix, StartAfter: &after, MaxKeys: aws.Int32(10)}))
		same(t, "KeyCount", int(*page.KeyCount), len(page.Contents))
		if len(page.Contents) == 0 {
			same(t, "IsTruncated of an empty page", *page.IsTruncated, false)
			break
		}
		for _, o := range page.Contents {
			found = append(found, *o.Key)
			same(t, "ETag and size of "+*o.Key, fmt.Sprint(*o.ETag, *o.Size), fmt.Sprint(`"`+etagOf([]byte(*o.Key))+`"`, len(*o.Key)))
		}
	}
	same(t, "ListObjectsV2 by start-after", found, keys)
	found = nil
	for in := (&s3.ListObjectsInput{Bucket: bucket, Prefix: &prefix, Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)}); ; {
		page := must[*s3.ListObjectsOutput](t)(c.ListObjects(t.Context(), in))
		for _, p := range page.CommonPrefixes {
			found = append(found, *p.Prefix)
		}
		for _, o := range page.Contents {
			found = append(found, *o.Key)
		}
		if !*page.IsTruncated {
			break
		}
		in.Marker = page.NextMarker
	}
	same(t, "ListObjects with a delimiter", found, append(directories, prefix+"top"))
}

// presigned: URLs for a plain HTTP client, and the same URLs bent.
func (c *awsClient) presigned(t *testing.T) {
	key, content := aws.String("awssdk/presigned/a b+ü.bin"), stage.Random(t, 5000)
	signer := s3.NewPresignClient(c.Client)
	put, err := signer.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, ContentType: aws.String("text/x-test")})
	ok(t, err)
	status, _, body := fetch(t, put.Method, put.URL, http.Header{"Content-Type": {"text/x-other"}}, content)
	same(t, "status of a presigned PUT of another type: "+string(body), status, 403)
	status, header, body := fetch(t, put.Method, put.URL, put.SignedHeader, content)
	same(t, "status of a presigned PUT: "+string(body), status, 200)
	same(t, "ETag of a presigned PUT", header.Get("ETag"), `"`+etagOf(content)+`"`)

	get, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
	ok(t, err)
	status, header, body = fetch(t, get.Method, get.URL, nil, nil)
	same(t, "a presigned GET", fmt.Sprint(status, header["Content-Type"]), "200 [text/x-test]")
	sameBytes(t, "body of a presigned GET", body, content)
	stage.Presigned(t, get.URL, "a%20b", "a%20c", content)
}

// keys: odd names in every place a name stands in.
func (c *awsClient) keys(t *testing.T) {
	var keys, copied []string
	for _, name := range oddNames {
		key, other := "awssdk/keys/"+name, "awssdk/copied/"+name
		keys, copied = append(keys, key), append(copied, other)
		c.put(t, key, []byte(name))
		c.holds(t, key, []byte(name))
		must[*s3.CopyObjectOutput](t)(c.CopyObject(t.Context(),
			&s3.CopyObjectInput{Bucket: bucket, Key: &other, CopySource: aws.String(process.Bucket + "/" + escapeKey(key))}))
		c.holds(t, other, []byte(name))
	}
	same(t, "odd keys listed", c.list(t, "awssdk/keys/"), sorted(keys))
	same(t, "odd keys deleted", c.deleteAll(t, copied, false), sorted(copied))
	same(t, "odd keys after DeleteObjects", c.list(t, "awssdk/copied/"), nil)
}

// metadata and standard headers come back as they were.
func (c *awsClient) metadata(t *testing.T) {
	want := map[string]string{"colour": "blue", "name": `a value, with; signs="quoted"`, "umlaut": "grün 🦈"}
	c.put(t, "awssdk/metadata", []byte("m"), func(in *s3.PutObjectInput) {
		in.Metadata, in.ContentLanguage, in.ContentDisposition = want, aws.String("de"), aws.String(`inline; filename="x.txt"`)
	})
	out, _ := c.get(t, "awssdk/metadata")
	same(t, "metadata", lower(out.Metadata), want)
	same(t, "standard headers", []string{*out.ContentLanguage, *out.ContentDisposition}, []string{"de", `inline; filename="x.txt"`})
}

// conditionalWrites: only the first of two creations succeeds.
func (c *awsClient) conditionalWrites(t *testing.T) {
	create := func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
	c.put(t, "awssdk/conditional", []byte("first"), create)
	_, err := c.tryPut(t, "awssdk/conditional", []byte("second"), create)
	refusedAWS(t, "the second creation", err, 412, "PreconditionFailed")
	c.holds(t, "awssdk/conditional", []byte("first"))
}

// checksums: the SDK's own choice and others by name; wrong ones store nothing.
func (c *awsClient) checksums(t *testing.T) {
	content := stage.Random(t, 3000)
	c.put(t, "awssdk/checksums/default", content)
	if c.wire.sent("PUT", "X-Amz-Checksum-Crc32") == "" {
		t.Error("the SDK does not send a CRC32 of its own accord any more")
	}
	c.holds(t, "awssdk/checksums/default", content)
	for _, algorithm := range []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		key := "awssdk/checksums/" + string(algorithm)
		c.put(t, key, content, func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm })
		if sent := c.wire.sent("PUT", "X-Amz-Checksum-"+string(algorithm)); sent == "" {
			t.Errorf("no %s was sent", algorithm)
		}
		c.holds(t, key, content)
	}
	sum := sha256.Sum256([]byte("other"))
	castagnoli := binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte("other"), crc32.MakeTable(crc32.Castagnoli)))
	for name, option := range map[string]func(*s3.PutObjectInput){
		"sha256": func(in *s3.PutObjectInput) { in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(sum[:])) },
		"crc32c": func(in *s3.PutObjectInput) {
			in.ChecksumCRC32C = aws.String(base64.StdEncoding.EncodeToString(castagnoli))
		},
	} {
		_, err := c.tryPut(t, "awssdk/checksums/wrong", content, option)
		refusedAWS(t, "a wrong "+name, err, 400, "BadDigest", "XAmzContentChecksumMismatch")
		c.absent(t, "awssdk/checksums/wrong")
		c.put(t, "awssdk/checksums/right-"+name, []byte("other"), option)
	}
}
