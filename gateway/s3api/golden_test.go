package s3api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/requests.golden anew")

// TestRealClients reads what real clients sent (testdata/*.http, recorded from
// the AWS CLI, boto3, the AWS SDK for JavaScript, minio-go, s3cmd and curl;
// signatures are dummies, bodies of large parts left out) and compares what
// this package makes of it with requests.golden.
func TestRealClients(t *testing.T) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded requests:", err)
	}
	var got bytes.Buffer
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		fmt.Fprintf(&got, "%s\n%s\n", name, describe(t, readRequest(t, file)))
	}
	const golden = "testdata/requests.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	for i := range max(len(wantLines), len(gotLines)) {
		if i >= len(wantLines) || i >= len(gotLines) || wantLines[i] != gotLines[i] {
			t.Fatalf("differs from %s at line %d (see -update)\n got: %s", golden, i+1, strings.Join(gotLines[min(i, len(gotLines)):], "\n"))
		}
	}
}

func readRequest(t *testing.T, file string) *http.Request {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(file, err)
	}
	return r
}

// describe gives the operation and, as JSON, its typed form.
func describe(t *testing.T, r *http.Request) string {
	t.Helper()
	req, err := Parse(r, "")
	if err != nil {
		return "  " + err.Error()
	}
	typed, err := typedForm(req, r)
	if err != nil {
		return fmt.Sprintf("  %s %q %q: %v", req.Op, req.Bucket, req.Key, err)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(typed); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("  %s %q %q\n  %s", req.Op, req.Bucket, req.Key, strings.TrimSpace(text.String()))
}

// typedForm calls the method that belongs to the operation.
func typedForm(req *Request, r *http.Request) (any, error) {
	switch req.Op {
	case GetObject, HeadObject:
		return req.Get()
	case PutObject:
		return req.Put(nil, r.ContentLength)
	case DeleteObject:
		return req.Delete()
	case DeleteObjects:
		return req.DeleteMany(r.Body)
	case CopyObject:
		return req.Copy()
	case ListObjects, ListObjectsV2:
		return req.List()
	case CreateMultipartUpload:
		return req.CreateUpload()
	case UploadPart:
		return req.Part(nil, r.ContentLength)
	case UploadPartCopy:
		return req.CopyPart()
	case CompleteMultipartUpload:
		return req.Complete(r.Body)
	case ListParts:
		return req.ListParts()
	case ListMultipartUploads:
		return req.ListUploads()
	}
	return nil, nil
}
