package storetest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/backends"
)

// partSize is the least S3 takes for a part that is not the last.
const partSize = 5 << 20

// upload opens an upload and sends its parts.
func upload(t *testing.T, s backends.Store, key string, parts ...string) backends.CompleteRequest {
	t.Helper()
	up, err := s.CreateUpload(t.Context(), backends.CreateUploadRequest{Key: key, Header: http.Header{
		"Content-Type": {"video/x-test"}, "X-Amz-Meta-A": {"1"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := backends.CompleteRequest{Key: key, UploadID: up.UploadID}
	for i, part := range parts {
		res, err := s.UploadPart(t.Context(), backends.PartRequest{
			Key: key, UploadID: up.UploadID, Number: i + 1, Body: strings.NewReader(part), Size: int64(len(part)),
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Parts = append(c.Parts, backends.CompletedPart{Number: i + 1, ETag: res.ETag})
	}
	return c
}

var threeParts = []string{strings.Repeat("a", partSize), strings.Repeat("b", partSize), "end"}

func complete(t *testing.T, s backends.Store, c backends.CompleteRequest) *backends.PutResult {
	t.Helper()
	res, err := s.CompleteUpload(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func multipart(t *testing.T, s backends.Store) {
	c := upload(t, s, "video", threeParts...)
	lacks(t, s, "video")
	wrong := c
	wrong.Parts = []backends.CompletedPart{{Number: 1, ETag: "0123456789abcdef0123456789abcdef"}}
	if _, err := s.CompleteUpload(t.Context(), wrong); err == nil {
		t.Error("completed with a part that was never sent")
	}
	lacks(t, s, "video")
	parts, err := s.ListParts(t.Context(), backends.ListPartsRequest{Key: "video", UploadID: c.UploadID})
	if err != nil || len(parts.Parts) != 3 || parts.Parts[2].Number != 3 || parts.Parts[2].Size != 3 || parts.Parts[0].ETag != c.Parts[0].ETag {
		t.Errorf("parts %+v, %v", parts, err)
	}
	complete(t, s, c)
	got, o := get(t, s, backends.GetRequest{Key: "video"})
	if got != strings.Join(threeParts, "") || o.Header.Get("Content-Type") != "video/x-test" || o.Header.Get("X-Amz-Meta-A") != "1" {
		t.Errorf("%d bytes, %+v", len(got), o.Info)
	}
}

func multipartETag(t *testing.T, s backends.Store) {
	res := complete(t, s, upload(t, s, "video", threeParts...))
	info, err := s.Head(t.Context(), backends.GetRequest{Key: "video"})
	if err != nil || !strings.HasSuffix(res.ETag, "-3") || info.ETag != res.ETag {
		t.Errorf("completed as %q, head answers %+v, %v", res.ETag, info, err)
	}
}

func partReads(t *testing.T, s backends.Store) {
	complete(t, s, upload(t, s, "video", threeParts...))
	for i, want := range threeParts {
		got, o := get(t, s, backends.GetRequest{Key: "video", PartNumber: i + 1})
		if got != want || o.ContentRange == "" || o.Header.Get("X-Amz-Mp-Parts-Count") != "3" {
			t.Errorf("part %d: %d bytes, range %q, %v", i+1, len(got), o.ContentRange, o.Header)
		}
	}
}

func abortedUpload(t *testing.T, s backends.Store) {
	c := upload(t, s, "video", "only part")
	if err := s.AbortUpload(t.Context(), "video", c.UploadID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CompleteUpload(t.Context(), c); !errors.Is(err, backends.ErrNoUpload) {
		t.Errorf("completed after the abort: %v, want ErrNoUpload", err)
	}
	lacks(t, s, "video")
}

func unknownUpload(t *testing.T, s backends.Store) {
	put(t, s, "k", "content")
	const id = "4b9f1d2c-0000-4000-8000-000000000000"
	if err := s.AbortUpload(t.Context(), "k", id); !errors.Is(err, backends.ErrNoUpload) {
		t.Errorf("abort: %v, want ErrNoUpload", err)
	}
	if _, err := s.ListParts(t.Context(), backends.ListPartsRequest{Key: "k", UploadID: id}); !errors.Is(err, backends.ErrNoUpload) {
		t.Errorf("list: %v, want ErrNoUpload", err)
	}
}

func uploadPages(t *testing.T, s backends.Store) {
	want := make(map[string]bool)
	for i := range 5 {
		want[upload(t, s, fmt.Sprintf("up/%d", i), "part").UploadID] = true
	}
	r := backends.ListUploadsRequest{Prefix: "up/", MaxUploads: 2}
	for range 10 {
		p, err := s.ListUploads(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range p.Uploads {
			delete(want, u.UploadID)
		}
		if !p.Truncated {
			break
		}
		r.KeyMarker, r.UploadIDMarker = p.NextKeyMarker, p.NextUploadIDMarker
	}
	if len(want) > 0 {
		t.Errorf("%d uploads were not listed", len(want))
	}
}
