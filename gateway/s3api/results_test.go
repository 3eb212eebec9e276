package s3api

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"sluice/backends"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// odd holds every character that listings have to escape one way or another.
const odd = "a b+c/<&>\"'%2F\n\r\t\x01\x7f€\uFFFD?#;=*~"

// core is a client (minio-go) of a server that reads requests with Parse and
// answers them with write: what a real decoder makes of the answers is the test.
func core(t *testing.T, write func(w http.ResponseWriter, r *http.Request, req *Request)) *minio.Core {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := Parse(r, "")
		if err != nil {
			WriteError(w, r, err, r.URL.Path, "id")
			return
		}
		write(w, r, req)
	}))
	t.Cleanup(server.Close)
	client, err := minio.NewCore(strings.TrimPrefix(server.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4("key", "secret", ""), Region: "eu-central-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func page() *backends.ListPage {
	return &backends.ListPage{
		Objects: []backends.ListedObject{
			{Key: odd, Size: 5, ETag: "e1", LastModified: noon, Owner: &backends.Owner{ID: "o", DisplayName: "Olga"}},
			{Key: "z", Size: 1 << 40, ETag: "e2-3", LastModified: noon, StorageClass: "GLACIER"},
		},
		Prefixes: []string{"dir " + odd + "/"}, Truncated: true, NextToken: "next&token", NextMarker: odd,
	}
}

func TestListV2ThroughAClient(t *testing.T) {
	client := core(t, func(w http.ResponseWriter, r *http.Request, req *Request) {
		l, err := req.List()
		if err != nil || !l.EncodeURL || l.Prefix != odd || l.Token != "tok" {
			t.Errorf("got %+v, %v", l, err)
		}
		WriteList(w, req, l, page())
	})
	got, err := client.ListObjectsV2("photos", odd, "after", "tok", "/", 7)
	if err != nil {
		t.Fatal(err)
	}
	// minio-go decodes keys and prefixes, and leaves the echoed Prefix as it is.
	if got.Name != "photos" || got.Prefix != encodeKey(odd) || got.MaxKeys != 7 || !got.IsTruncated || got.NextContinuationToken != "next&token" ||
		len(got.Contents) != 2 || len(got.CommonPrefixes) != 1 || got.CommonPrefixes[0].Prefix != "dir "+odd+"/" {
		t.Errorf("got %+v", got)
	}
	o := got.Contents[0]
	if o.Key != odd || o.Size != 5 || strings.Trim(o.ETag, `"`) != "e1" || !o.LastModified.Equal(noon) || o.StorageClass != "STANDARD" {
		t.Errorf("got %+v", o)
	}
	if got.Contents[1].StorageClass != "GLACIER" || got.Contents[1].Size != 1<<40 {
		t.Errorf("got %+v", got.Contents[1])
	}
}

func TestListV1ThroughAClient(t *testing.T) {
	client := core(t, func(w http.ResponseWriter, r *http.Request, req *Request) {
		l, err := req.List()
		if err != nil {
			t.Error(err)
		}
		WriteList(w, req, l, page())
	})
	got, err := client.ListObjects("photos", "", "marker", "/", 0)
	if err != nil || got.NextMarker != odd || got.Marker != "marker" || got.Contents[0].Owner.DisplayName != "Olga" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = client.ListObjects("photos", "", "", "", 0); err != nil || got.NextMarker != odd {
		t.Errorf("without a delimiter: %+v, %v", got, err)
	}
}

func list(l ListRequest, p *backends.ListPage) string {
	w := httptest.NewRecorder()
	WriteList(w, &Request{Bucket: "photos"}, l, p)
	return w.Body.String()
}

func TestListDocument(t *testing.T) {
	v2 := ListRequest{ListRequest: backends.ListRequest{MaxKeys: 1000, Prefix: "a b", Delimiter: "+", After: "c d"}, EncodeURL: true}
	got := list(v2, &backends.ListPage{
		Objects:  []backends.ListedObject{{Key: "a b+~", Size: 1, ETag: "e", LastModified: noon.Add(123456789)}},
		Prefixes: []string{"€/"},
	})
	want := xmlDeclaration + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
		`<Name>photos</Name><Prefix>a%20b</Prefix><StartAfter>c%20d</StartAfter><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>` +
		`<Delimiter>%2B</Delimiter><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>` +
		`<Contents><Key>a%20b%2B~</Key><LastModified>2024-05-01T12:00:00.123Z</LastModified><ETag>&quot;e&quot;</ETag>` +
		`<Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>` +
		`<CommonPrefixes><Prefix>%E2%82%AC/</Prefix></CommonPrefixes></ListBucketResult>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Without encoding-type a key comes back whole, or not at all.
func TestListNeverAltersAKey(t *testing.T) {
	var doc struct{ Contents []struct{ Key string } }
	plain := strings.ReplaceAll(odd, "\x01", "")
	for _, key := range []string{plain, "\n\r\t ", "]]>"} {
		body := list(ListRequest{}, &backends.ListPage{Objects: []backends.ListedObject{{Key: key}}})
		doc.Contents = nil
		if err := xml.Unmarshal([]byte(body), &doc); err != nil || doc.Contents[0].Key != key {
			t.Errorf("%q: got %q, %v", key, doc.Contents, err)
		}
	}
	body := list(ListRequest{}, &backends.ListPage{Objects: []backends.ListedObject{{Key: "a\x01b\uFFFFc\xEFd\xff"}}})
	if !strings.Contains(body, "<Key>a&#1;b&#65535;c\uFFFDd\uFFFD</Key>") {
		t.Errorf("got %s", body)
	}
}

func TestMultipartThroughAClient(t *testing.T) {
	client := core(t, func(w http.ResponseWriter, r *http.Request, req *Request) {
		switch req.Op {
		case CreateMultipartUpload:
			WriteCreateUpload(w, req, &backends.CreateUploadResult{UploadID: "u&1"})
		case ListParts:
			l, _ := req.ListParts()
			WriteParts(w, req, l, &backends.PartsPage{
				Parts:     []backends.Part{{Number: 3, Size: 5 << 20, ETag: "p3", LastModified: noon}},
				Truncated: true, NextNumber: 3,
			})
		case ListMultipartUploads:
			l, _ := req.ListUploads()
			WriteUploads(w, req, l, &backends.UploadsPage{
				Uploads:  []backends.Upload{{Key: "k<", UploadID: "u&1", Initiated: noon}},
				Prefixes: []string{"p/"}, Truncated: true, NextKeyMarker: "k<", NextUploadIDMarker: "u&1",
			})
		case CompleteMultipartUpload:
			WriteComplete(w, r, req, "id", func() (*backends.PutResult, error) { return completed, nil })
		case UploadPartCopy:
			WriteCopyResult(w, req, &backends.CopyResult{ETag: "cp", LastModified: noon})
		}
	})
	ctx, key := t.Context(), "bell \a <k>"
	if id, err := client.NewMultipartUpload(ctx, "photos", key, minio.PutObjectOptions{}); err != nil || id != "u&1" {
		t.Errorf("got %q, %v: a key that XML can not hold must not stop an upload", id, err)
	}
	parts, err := client.ListObjectParts(ctx, "photos", key, "u&1", 2, 9)
	if err != nil || parts.UploadID != "u&1" || parts.MaxParts != 9 || parts.PartNumberMarker != 2 || parts.NextPartNumberMarker != 3 ||
		!parts.IsTruncated || parts.ObjectParts[0].PartNumber != 3 || parts.ObjectParts[0].Size != 5<<20 {
		t.Errorf("got %+v, %v", parts, err)
	}
	uploads, err := client.ListMultipartUploads(ctx, "photos", "", "", "", "/", 0)
	if err != nil || uploads.Uploads[0].Key != "k<" || uploads.NextUploadIDMarker != "u&1" || uploads.CommonPrefixes[0].Prefix != "p/" {
		t.Errorf("got %+v, %v", uploads, err)
	}
	info, err := client.CompleteMultipartUpload(ctx, "photos", "k", "u&1",
		[]minio.CompletePart{{PartNumber: 1, ETag: "e"}}, minio.PutObjectOptions{})
	if err != nil || info.ETag != "abc-2" || info.VersionID != "v1" {
		t.Errorf("got %+v, %v", info, err)
	}
	part, err := client.CopyObjectPart(ctx, "photos", "src", "photos", "k", "u&1", 4, 0, 5, nil)
	if err != nil || strings.Trim(part.ETag, `"`) != "cp" {
		t.Errorf("got %+v, %v", part, err)
	}
}

func TestBucketsThroughAClient(t *testing.T) {
	client := core(t, func(w http.ResponseWriter, r *http.Request, req *Request) {
		switch req.Op {
		case ListBuckets:
			WriteListBuckets(w, ListBucketsRequest{Max: maxBuckets}, backends.Owner{ID: "sluice"}, "eu-central-1", []Bucket{{"photos", noon}, {"videos", noon}})
		case HeadBucket:
			WriteHeadBucket(w, "eu-central-1")
		case GetBucketLocation:
			WriteLocation(w, "eu-central-1")
		}
	})
	buckets, err := client.ListBuckets(t.Context())
	if err != nil || len(buckets) != 2 || buckets[0].Name != "photos" || !buckets[1].CreationDate.Equal(noon) ||
		buckets[0].BucketRegion != "eu-central-1" {
		t.Errorf("got %+v, %v", buckets, err)
	}
	if ok, err := client.BucketExists(t.Context(), "photos"); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
	w := httptest.NewRecorder()
	WriteLocation(w, "us-east-1")
	if !strings.HasSuffix(w.Body.String(), `<LocationConstraint xmlns="`+namespace+`"></LocationConstraint>`) {
		t.Errorf("got %s", w.Body)
	}
}

func TestDeleteManyThroughAClient(t *testing.T) {
	client := core(t, func(w http.ResponseWriter, r *http.Request, req *Request) {
		d, err := req.DeleteMany(r.Body)
		if err != nil {
			WriteError(w, r, err, r.URL.Path, "id")
			return
		}
		results := make([]backends.DeleteResult, len(d.Objects))
		for i, o := range d.Objects {
			key := o.Key
			results[i].Key = key
		}
		results[1].Err = &backends.Error{Kind: backends.ErrSlowDown}
		WriteDeleteResult(w, d, results)
	})
	keys := make(chan minio.ObjectInfo, 3)
	for _, key := range []string{"a <&> b", "busy", "c"} {
		keys <- minio.ObjectInfo{Key: key}
	}
	close(keys)
	var failed []string
	for e := range client.RemoveObjects(t.Context(), "photos", keys, minio.RemoveObjectsOptions{}) {
		failed = append(failed, e.ObjectName+" "+minio.ToErrorResponse(e.Err).Code)
	}
	if !reflect.DeepEqual(failed, []string{"busy SlowDown"}) {
		t.Errorf("got %q", failed)
	}
}

func TestDeleteResultDocument(t *testing.T) {
	d := DeleteManyRequest{DeleteManyRequest: backends.DeleteManyRequest{Objects: []backends.ObjectVersion{{Key: "a", VersionID: "v"}, {Key: "b"}}}}
	results := []backends.DeleteResult{{Key: "a"}, {Key: "b", VersionID: "m", DeleteMarker: true}}
	w := httptest.NewRecorder()
	WriteDeleteResult(w, d, results)
	want := `<DeleteResult xmlns="` + namespace + `"><Deleted><Key>a</Key><VersionId>v</VersionId></Deleted>` +
		`<Deleted><Key>b</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted></DeleteResult>`
	if got := strings.TrimPrefix(w.Body.String(), xmlDeclaration); got != want {
		t.Errorf("got %s", got)
	}
	d.Quiet = true
	w = httptest.NewRecorder()
	WriteDeleteResult(w, d, results)
	if strings.Contains(w.Body.String(), "Deleted") {
		t.Errorf("not quiet: %s", w.Body)
	}
}

func info() backends.Info {
	return backends.Info{Key: "k", Size: 10, ETag: "e", LastModified: noon, Header: http.Header{
		"Content-Type": {"image/png"}, "Cache-Control": {"max-age=5"}, "X-Amz-Meta-A": {"1"},
	}}
}

func TestObjectThroughAClient(t *testing.T) {
	client := core(t, func(w http.ResponseWriter, r *http.Request, req *Request) {
		g, err := req.Get()
		if err != nil || g.Range != "bytes=2-4" {
			t.Errorf("got %+v, %v", g, err)
		}
		WriteObject(w, ranged(info(), 3, "bytes 2-4/10"), g.ResponseHeaders)
		_, _ = io.WriteString(w, "abc")
	})
	var options minio.GetObjectOptions
	if err := options.SetRange(2, 4); err != nil {
		t.Fatal(err)
	}
	body, got, header, err := client.GetObject(t.Context(), "photos", "k", options)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err != nil || string(data) != "abc" || got.ETag != "e" || !got.LastModified.Equal(noon) || got.UserMetadata["A"] != "1" ||
		header.Get("Content-Range") != "bytes 2-4/10" || header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("got %q, %v, %+v, %v", data, err, got, header)
	}
}

func TestObjectHeaders(t *testing.T) {
	i := info()
	overrides := http.Header{"Content-Type": {"text/plain"}}
	for name, c := range map[string]struct {
		write  func(w http.ResponseWriter)
		status int
		header map[string]string
	}{
		"GET": {
			func(w http.ResponseWriter) { WriteObject(w, ranged(i, 10, ""), overrides) },
			200,
			map[string]string{
				"Content-Length": "10", "Content-Type": "text/plain", "Etag": `"e"`, "Content-Range": "",
				"Last-Modified": "Wed, 01 May 2024 12:00:00 GMT", "X-Amz-Meta-A": "1",
			},
		},
		"HEAD": {
			func(w http.ResponseWriter) { WriteHead(w, &i, "", nil) },
			200,
			map[string]string{"Content-Length": "10", "Content-Type": "image/png", "Etag": `"e"`, "Accept-Ranges": "bytes"},
		},
		"HEAD range": {
			func(w http.ResponseWriter) { WriteHead(w, &i, "bytes=-4", nil) },
			206,
			map[string]string{"Content-Length": "4", "Content-Range": "bytes 6-9/10"},
		},
		"HEAD range outside": {
			func(w http.ResponseWriter) { WriteHead(w, &i, "bytes=10-", nil) },
			416,
			map[string]string{"Content-Range": "bytes */10", "Etag": ""},
		},
		"not modified": {
			func(w http.ResponseWriter) { WriteNotModified(w, &i) },
			304,
			map[string]string{"Etag": `"e"`, "Cache-Control": "max-age=5", "Content-Type": "", "Content-Length": ""},
		},
		"PUT": {
			func(w http.ResponseWriter) {
				WritePut(w, &backends.PutResult{ETag: "e", Header: http.Header{"X-Amz-Version-Id": {"v"}}})
			},
			200,
			map[string]string{"Etag": `"e"`, "X-Amz-Version-Id": "v"},
		},
		"DELETE": {
			func(w http.ResponseWriter) {
				WriteDelete(w, &backends.DeleteResult{VersionID: "m", DeleteMarker: true})
			},
			204,
			map[string]string{"X-Amz-Version-Id": "m", "X-Amz-Delete-Marker": "true"},
		},
	} {
		w := httptest.NewRecorder()
		c.write(w)
		if w.Code != c.status {
			t.Errorf("%s: status %d", name, w.Code)
		}
		for header, want := range c.header {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	if !reflect.DeepEqual(i, info()) {
		t.Error("writing changed the object's own headers")
	}
}

// Headers added to an answer must not land in an object that a cache shares.
func TestAddedHeadersStayOutOfTheObject(t *testing.T) {
	i := info()
	i.Header["Vary"] = append(make([]string, 0, 4), "Origin")
	w := httptest.NewRecorder()
	WriteHead(w, &i, "", nil)
	w.Header().Add("Vary", "Accept")
	if got := i.Header["Vary"][:2:2]; got[1] != "" {
		t.Errorf("got %q", got)
	}
}

func TestErrorsThroughAClient(t *testing.T) {
	client := core(t, func(w http.ResponseWriter, r *http.Request, req *Request) {
		WriteError(w, r, &backends.Error{Kind: backends.ErrNotFound}, r.URL.Path, "id7")
	})
	_, _, _, err := client.GetObject(t.Context(), "photos", "k", minio.GetObjectOptions{})
	var e minio.ErrorResponse
	if !errors.As(err, &e) || e.Code != "NoSuchKey" || e.RequestID != "id7" || e.StatusCode != 404 {
		t.Errorf("got %+v", err)
	}
}

func ranged(info backends.Info, length int64, contentRange string) *backends.Object {
	info.Length, info.ContentRange = length, contentRange
	return &backends.Object{Info: info}
}
