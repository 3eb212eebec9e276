package memory_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/backends/memory"
)

func crc(content string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(content))))
}

// upload opens an upload for CRC-32s of the kind and sends two parts.
func upload(t *testing.T, s *memory.Store, kind string) backends.CompleteRequest {
	t.Helper()
	up, err := s.CreateUpload(t.Context(), backends.CreateUploadRequest{Key: "k", Header: http.Header{
		"X-Amz-Checksum-Algorithm": {"CRC32"}, "X-Amz-Checksum-Type": {kind},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := backends.CompleteRequest{Key: "k", UploadID: up.UploadID}
	for i, content := range []string{"first ", "second"} {
		res, err := s.UploadPart(t.Context(), backends.PartRequest{
			Key: "k", UploadID: up.UploadID, Number: 5 * (i + 1), Body: strings.NewReader(content), Size: 6,
			Header: http.Header{"X-Amz-Checksum-Crc32": {crc(content)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Parts = append(r.Parts, backends.CompletedPart{
			Number: 5 * (i + 1), ETag: res.ETag, Checksum: map[string]string{"ChecksumCRC32": crc(content)},
		})
	}
	return r
}

func TestAnObjectKeepsItsParts(t *testing.T) {
	s := memory.New("m")
	res, err := s.CompleteUpload(t.Context(), upload(t, s, "FULL_OBJECT"))
	if err != nil {
		t.Fatal(err)
	}
	one, two := md5.Sum([]byte("first ")), md5.Sum([]byte("second"))
	both := md5.Sum(append(one[:], two[:]...))
	if want := hex.EncodeToString(both[:]) + "-2"; res.ETag != want || res.Header.Get("X-Amz-Checksum-Crc32") != crc("first second") {
		t.Errorf("%+v, want %s", res, want)
	}
	content, info := get(t, s, backends.GetRequest{Key: "k", PartNumber: 2, Header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}})
	if content != "second" || info.ContentRange != "bytes 6-11/12" || info.Size != 12 || info.Length != 6 ||
		info.Header.Get("X-Amz-Mp-Parts-Count") != "2" || info.Header.Get("X-Amz-Checksum-Crc32") != crc("second") {
		t.Errorf("%q, %+v", content, info)
	}
	_, err = s.Get(t.Context(), backends.GetRequest{Key: "k", PartNumber: 3})
	refused(t, "third part", err, backends.ErrInvalidRange, "InvalidPartNumber")
	if _, err := s.Copy(t.Context(), backends.CopyRequest{Key: "copy", SourceKey: "k"}); err != nil {
		t.Fatal(err)
	}
	if _, info = get(t, s, backends.GetRequest{Key: "copy", PartNumber: 1}); info.ETag != md5Of("first second") || info.ContentRange != "bytes 0-11/12" {
		t.Errorf("a copy has one part: %+v", info)
	}
}

func TestACompositeChecksumNamesItsParts(t *testing.T) {
	s := memory.New("m")
	r := upload(t, s, "COMPOSITE")
	one := crc32.ChecksumIEEE([]byte("first "))
	sums := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, one), crc32.ChecksumIEEE([]byte("second")))
	r.Header = http.Header{"X-Amz-Checksum-Crc32": {crc(string(sums)) + "-2"}}
	silent := r
	silent.Parts = []backends.CompletedPart{{Number: 5, ETag: r.Parts[0].ETag}}
	_, err := s.CompleteUpload(t.Context(), silent)
	refused(t, "no checksum of a part", err, backends.ErrInvalid, "InvalidRequest")
	if _, err := s.CompleteUpload(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	_, info := get(t, s, backends.GetRequest{Key: "k", Header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}})
	if info.Header.Get("X-Amz-Checksum-Crc32") != crc(string(sums))+"-2" || info.Header.Get("X-Amz-Checksum-Type") != "COMPOSITE" {
		t.Errorf("%v", info.Header)
	}
}

func TestARefusedCompletionLeavesTheUploadOpen(t *testing.T) {
	s := memory.New("m")
	r := upload(t, s, "FULL_OBJECT")
	put(t, s, "k", "old", nil)
	for code, change := range map[string]func(*backends.CompleteRequest){
		"MalformedXML":       func(r *backends.CompleteRequest) { r.Parts = nil },
		"InvalidPart":        func(r *backends.CompleteRequest) { r.Parts[0].ETag = md5Of("x") },
		"InvalidPartOrder":   func(r *backends.CompleteRequest) { r.Parts[0], r.Parts[1] = r.Parts[1], r.Parts[0] },
		"BadDigest":          func(r *backends.CompleteRequest) { r.Header = http.Header{"X-Amz-Checksum-Crc32": {crc("x")}} },
		"InvalidRequest":     func(r *backends.CompleteRequest) { r.Header = http.Header{"X-Amz-Mp-Object-Size": {"1"}} },
		"PreconditionFailed": func(r *backends.CompleteRequest) { r.IfNoneMatch = true },
	} {
		changed := r
		changed.Parts = append([]backends.CompletedPart(nil), r.Parts...)
		change(&changed)
		_, err := s.CompleteUpload(t.Context(), changed)
		kind := backends.ErrInvalid
		if code == "PreconditionFailed" {
			kind = backends.ErrPrecondition
		}
		refused(t, code, err, kind, code)
	}
	if content, _ := get(t, s, backends.GetRequest{Key: "k"}); content != "old" {
		t.Errorf("%q", content)
	}
	if _, err := s.CompleteUpload(t.Context(), r); err != nil {
		t.Error(err)
	}
	_, err := s.CompleteUpload(t.Context(), r)
	refused(t, "again", err, backends.ErrNoUpload, "NoSuchUpload")
}

func TestPartsOfAnotherChecksumAreRefused(t *testing.T) {
	s := memory.New("m")
	r := upload(t, s, "COMPOSITE")
	for name, h := range map[string]http.Header{"none": nil, "another": {"X-Amz-Checksum-Sha256": {"ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="}}} {
		_, err := s.UploadPart(t.Context(), backends.PartRequest{Key: "k", UploadID: r.UploadID, Number: 1, Body: strings.NewReader("a"), Size: 1, Header: h})
		refused(t, name, err, backends.ErrInvalid, "InvalidRequest")
	}
}

func TestPartsAreCopiedAndListed(t *testing.T) {
	s, source := memory.New("m"), memory.New("source")
	put(t, source, "from", "0123456789", nil)
	up, err := s.CreateUpload(t.Context(), backends.CreateUploadRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	r := backends.CopyPartRequest{Key: "k", UploadID: up.UploadID, Source: source, SourceKey: "from", SourceRange: "bytes=2-4"}
	for r.Number = 1; r.Number <= 3; r.Number++ {
		if res, err := s.CopyPart(t.Context(), r); err != nil || res.ETag != md5Of("234") {
			t.Errorf("%+v, %v", res, err)
		}
	}
	r.Number, r.SourceRange = 4, "bytes=2-10"
	_, err = s.CopyPart(t.Context(), r)
	refused(t, "range behind the end", err, backends.ErrInvalidRange, "InvalidRange")
	var seen []string
	list := backends.ListPartsRequest{Key: "k", UploadID: up.UploadID, MaxParts: 2}
	for more := true; more; {
		page, err := s.ListParts(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Parts {
			seen = append(seen, fmt.Sprint(p.Number, p.Size))
		}
		seen = append(seen, "|")
		more, list.AfterNumber = page.Truncated, page.NextNumber
	}
	if got := strings.Join(seen, " "); got != "1 3 2 3 | 3 3 |" {
		t.Error(got)
	}
}
