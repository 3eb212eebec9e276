package e2e

import (
	"bytes"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"

	"sluice/backends"
)

// uploadID finds the id that CreateMultipartUpload answered.
func uploadID(t *testing.T, a answer) string {
	t.Helper()
	m := regexp.MustCompile(`<UploadId>([^<]*)</UploadId>`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no upload id: %v", a)
	}
	return m[1]
}

// completion is the document that completes an upload of parts, in their order.
func completion(parts ...answer) string {
	type part struct {
		PartNumber int
		ETag       string
	}
	var doc struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []part
	}
	for i, p := range parts {
		doc.Part = append(doc.Part, part{i + 1, p.header.Get("ETag")})
	}
	return document(doc)
}

// deletion is the document of DeleteObjects.
func deletion(keys ...string) string {
	type object struct{ Key string }
	var doc struct {
		XMLName xml.Name `xml:"Delete"`
		Object  []object
	}
	for _, key := range keys {
		doc.Object = append(doc.Object, object{key})
	}
	return document(doc)
}

func document(doc any) string {
	raw, err := xml.Marshal(doc)
	if err != nil {
		panic(err) // of a test's own types
	}
	return string(raw)
}

// putBehind stores an object behind the gateway's back.
func putBehind(t *testing.T, s backends.Store, key, body string) {
	t.Helper()
	if _, err := s.Put(t.Context(), backends.PutRequest{Key: key, Body: bytes.NewReader([]byte(body)), Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
}

// between are the texts of all elements of a name, in their order.
func between(document, element string) []string {
	var all []string
	for _, rest := range strings.Split(document, "<"+element+">")[1:] {
		text, _, _ := strings.Cut(rest, "</"+element+">")
		all = append(all, text)
	}
	return all
}

// headOf is what a store says of an object.
func headOf(t *testing.T, s backends.Store, key string) *backends.Info {
	t.Helper()
	info, err := s.Head(t.Context(), backends.GetRequest{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return info
}
