// Package storetest defines what a correct store is: a suite that every kind of
// store passes, over the network or in memory.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sluice/backends"
)

// Feature is something a kind of store may lack.
type Feature string

// What a kind may lack.
const (
	Conditions   Feature = "conditional writes"
	PartReads    Feature = "reads of single parts"
	PartETags    Feature = "multipart ETags with the number of parts"
	FileLikeKeys Feature = "keys that are no file names" // "a//b", "a/../b", a key below another key
	LongKeys     Feature = "keys of 1,024 bytes"
	UploadPages  Feature = "pages of uploads"
	Replace      Feature = "copies with replaced metadata"
	AbortErrors  Feature = "ErrNoUpload for an unknown upload"
	V1Pages      Feature = "pages by marker with a delimiter"
	EmptyPages   Feature = "listings of no keys"
)

// suite runs the cases on a fresh store each.
type suite struct {
	newStore func(t *testing.T) backends.Store
	lacks    []Feature
}

// Run runs every case as a subtest. newStore answers an empty store.
func Run(t *testing.T, newStore func(t *testing.T) backends.Store, lacks ...Feature) {
	s := suite{newStore, lacks}
	for _, c := range []struct {
		name string
		run  func(*testing.T, backends.Store)
		need Feature
	}{
		{"round trip", roundTrip, ""},
		{"replaced", replaced, ""},
		{"sizes", sizes, ""},
		{"ranges", ranges, ""},
		{"absent", absentKey, ""},
		{"If-Match on reads", readConditions, ""},
		{"conditional writes", writeConditions, Conditions},
		{"delete", deletes, ""},
		{"delete many", deleteMany, ""},
		{"copy", copies, ""},
		{"copy replaces metadata", copyReplaces, Replace},
		{"list", lists, ""},
		{"list by marker", listsV1, V1Pages},
		{"list nothing", emptyPage, EmptyPages},
		{"plain odd keys", plainOddKeys, ""},
		{"odd keys", oddKeys, FileLikeKeys},
		{"long key", longKey, LongKeys},
		{"failing body", failingBody, ""},
		{"cancelled", cancelled, ""},
		{"concurrent puts", concurrentPuts, ""},
		{"multipart", multipart, ""},
		{"multipart ETag", multipartETag, PartETags},
		{"parts of an object", partReads, PartReads},
		{"aborted upload", abortedUpload, ""},
		{"unknown upload", unknownUpload, AbortErrors},
		{"pages of uploads", uploadPages, UploadPages},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.need != "" && slices.Contains(s.lacks, c.need) {
				t.Logf("this kind of store lacks %s", c.need)
				return
			}
			c.run(t, s.newStore(t))
		})
	}
}

func put(t *testing.T, s backends.Store, key, content string) *backends.PutResult {
	t.Helper()
	res, err := s.Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func get(t *testing.T, s backends.Store, r backends.GetRequest) (string, *backends.Object) {
	t.Helper()
	o, err := s.Get(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	raw, err := io.ReadAll(o.Body)
	if err != nil || int64(len(raw)) != o.Length {
		t.Fatalf("%d bytes of %d: %v", len(raw), o.Length, err)
	}
	return string(raw), o
}

func holds(t *testing.T, s backends.Store, key, want string) {
	t.Helper()
	if got, _ := get(t, s, backends.GetRequest{Key: key}); got != want {
		t.Errorf("%q holds %.100q, want %.100q", key, got, want)
	}
}

func lacks(t *testing.T, s backends.Store, key string) {
	t.Helper()
	if _, err := s.Head(t.Context(), backends.GetRequest{Key: key}); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("head of %q: %v, want ErrNotFound", key, err)
	}
	if _, err := s.Get(t.Context(), backends.GetRequest{Key: key}); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("get of %q: %v, want ErrNotFound", key, err)
	}
}

func roundTrip(t *testing.T, s backends.Store) {
	header := http.Header{
		"Content-Type": {"text/x-test"}, "Cache-Control": {"public, max-age=60"},
		"Content-Disposition": {`attachment; filename="a b.txt"`}, "Content-Encoding": {"identity"},
		"Content-Language": {"de"}, "Expires": {"Thu, 01 Dec 2033 16:00:00 GMT"}, "X-Amz-Meta-Colour": {"blue"},
	}
	res, err := s.Put(t.Context(), backends.PutRequest{Key: "dir/key", Body: strings.NewReader("content"), Size: 7, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	got, o := get(t, s, backends.GetRequest{Key: "dir/key"})
	if got != "content" || o.ETag != res.ETag || o.Size != 7 || o.LastModified.IsZero() || o.Key != "dir/key" || o.ContentRange != "" {
		t.Errorf("got %q, %+v", got, o.Info)
	}
	info, err := s.Head(t.Context(), backends.GetRequest{Key: "dir/key"})
	if err != nil {
		t.Fatal(err)
	}
	if info.ETag != o.ETag || info.Size != o.Size || !info.LastModified.Equal(o.LastModified) {
		t.Errorf("head answers %+v, get %+v", info, o.Info)
	}
	for name, values := range header {
		if !slices.Equal(o.Header[name], values) || !slices.Equal(info.Header[name], values) {
			t.Errorf("%s: get %q, head %q, want %q", name, o.Header[name], info.Header[name], values)
		}
	}
	for _, name := range []string{"Content-Length", "Etag", "Last-Modified", "Date", "X-Amz-Request-Id"} {
		if _, ok := o.Header[name]; ok {
			t.Errorf("Info.Header holds %s", name)
		}
	}
}

// replaced: nothing of an object survives the one that takes its place.
func replaced(t *testing.T, s backends.Store) {
	first := http.Header{"Content-Type": {"text/first"}, "Cache-Control": {"no-store"}, "X-Amz-Meta-First": {"1"}, "X-Amz-Meta-Both": {"1"}}
	second := http.Header{"Content-Type": {"text/second"}, "X-Amz-Meta-Both": {"2"}}
	for _, h := range []http.Header{first, second} {
		if _, err := s.Put(t.Context(), backends.PutRequest{Key: "k", Body: strings.NewReader("x"), Size: 1, Header: h}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := s.Head(t.Context(), backends.GetRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for name := range first {
		if got := info.Header.Get(name); got != second.Get(name) {
			t.Errorf("%s is %q, want %q", name, got, second.Get(name))
		}
	}
}

func sizes(t *testing.T, s backends.Store) {
	for _, size := range []int{0, 1, 4096, 1 << 20} {
		content := strings.Repeat("x", size)
		put(t, s, "k", content)
		holds(t, s, "k", content)
	}
}

func ranges(t *testing.T, s backends.Store) {
	put(t, s, "k", "0123456789")
	for rng, want := range map[string]string{
		"bytes=0-0": "0", "bytes=3-5": "345", "bytes=8-": "89", "bytes=-2": "89", "bytes=5-100": "56789",
	} {
		got, o := get(t, s, backends.GetRequest{Key: "k", Range: rng})
		if got != want || o.Size != 10 || o.ContentRange == "" {
			t.Errorf("%s: %q, size %d, %q", rng, got, o.Size, o.ContentRange)
		}
	}
	if _, err := s.Get(t.Context(), backends.GetRequest{Key: "k", Range: "bytes=10-"}); !errors.Is(err, backends.ErrInvalidRange) {
		t.Errorf("range behind the end: %v, want ErrInvalidRange", err)
	}
}

func absentKey(t *testing.T, s backends.Store) {
	lacks(t, s, "never/there")
	_, err := s.Head(t.Context(), backends.GetRequest{Key: "never/there"})
	var e *backends.Error
	if !errors.As(err, &e) || e.Store != s.Name() || e.Key != "never/there" || backends.Unknown(err) {
		t.Errorf("error %+v", e)
	}
}

func readConditions(t *testing.T, s backends.Store) {
	etag := put(t, s, "k", "content").ETag
	if got, _ := get(t, s, backends.GetRequest{Key: "k", IfMatch: etag}); got != "content" {
		t.Errorf("got %q", got)
	}
	if _, err := s.Get(t.Context(), backends.GetRequest{Key: "k", IfMatch: "0123456789abcdef0123456789abcdef"}); !errors.Is(err, backends.ErrPrecondition) {
		t.Errorf("another ETag: %v, want ErrPrecondition", err)
	}
}

func writeConditions(t *testing.T, s backends.Store) {
	write := func(content, ifMatch string, create bool) error {
		_, err := s.Put(t.Context(), backends.PutRequest{
			Key: "k", Body: strings.NewReader(content), Size: int64(len(content)), IfMatch: ifMatch, IfNoneMatch: create,
		})
		return err
	}
	if err := write("one", "", true); err != nil {
		t.Fatal(err)
	}
	if err := write("two", "", true); !errors.Is(err, backends.ErrPrecondition) || backends.Unknown(err) {
		t.Errorf("create over an object: %v, want ErrPrecondition, known", err)
	}
	holds(t, s, "k", "one")
	_, o := get(t, s, backends.GetRequest{Key: "k"})
	if err := write("three", o.ETag, false); err != nil {
		t.Fatal(err)
	}
	if err := write("four", o.ETag, false); !errors.Is(err, backends.ErrPrecondition) {
		t.Errorf("replace of another ETag: %v, want ErrPrecondition", err)
	}
	holds(t, s, "k", "three")
}

func deletes(t *testing.T, s backends.Store) {
	put(t, s, "k", "content")
	for range 2 {
		if _, err := s.Delete(t.Context(), backends.DeleteRequest{Key: "k"}); err != nil {
			t.Errorf("delete: %v", err)
		}
		lacks(t, s, "k")
	}
}

func deleteMany(t *testing.T, s backends.Store) {
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("many/%04d & <%d>", i, i)
		if i%100 == 0 {
			put(t, s, keys[i], "content")
		}
	}
	put(t, s, "stays", "content")
	results, err := s.DeleteMany(t.Context(), named(keys))
	if err != nil || len(results) != len(keys) {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, r := range results {
		if r.Key != keys[i] || r.Err != nil {
			t.Errorf("result %d: %+v", i, r)
		}
	}
	if got := list(t, s, backends.ListRequest{}); !slices.Equal(got, []string{"stays"}) {
		t.Errorf("left: %q", got)
	}
}

func copies(t *testing.T, s backends.Store) {
	header := http.Header{"Content-Type": {"text/x-test"}, "X-Amz-Meta-A": {"1"}}
	if _, err := s.Put(t.Context(), backends.PutRequest{Key: "a+b & c", Body: strings.NewReader("content"), Size: 7, Header: header}); err != nil {
		t.Fatal(err)
	}
	res, err := s.Copy(t.Context(), backends.CopyRequest{Key: "copy", SourceKey: "a+b & c"})
	if err != nil {
		t.Fatal(err)
	}
	got, o := get(t, s, backends.GetRequest{Key: "copy"})
	if got != "content" || o.ETag != res.ETag || o.Header.Get("Content-Type") != "text/x-test" || o.Header.Get("X-Amz-Meta-A") != "1" {
		t.Errorf("copy holds %q, %+v", got, o.Info)
	}
	if _, err := s.Copy(t.Context(), backends.CopyRequest{Key: "copy2", SourceKey: "never"}); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("copy of nothing: %v, want ErrNotFound", err)
	}
	lacks(t, s, "copy2")
}

func copyReplaces(t *testing.T, s backends.Store) {
	put(t, s, "a", "content")
	_, err := s.Copy(t.Context(), backends.CopyRequest{Key: "a", SourceKey: "a", Header: http.Header{
		"X-Amz-Metadata-Directive": {"REPLACE"}, "Content-Type": {"text/new"}, "X-Amz-Meta-B": {"2"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, o := get(t, s, backends.GetRequest{Key: "a"})
	if got != "content" || o.Header.Get("Content-Type") != "text/new" || o.Header.Get("X-Amz-Meta-B") != "2" {
		t.Errorf("holds %q, %+v", got, o.Info)
	}
}

func failingBody(t *testing.T, s backends.Store) {
	put(t, s, "old", "old content")
	broken := errors.New("the client went away")
	for _, size := range []int{100, 1 << 20} {
		for _, key := range []string{"old", "new"} {
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", size/2)), failing{broken})
			_, err := s.Put(t.Context(), backends.PutRequest{Key: key, Body: body, Size: int64(size)})
			if !errors.Is(err, broken) || backends.Unknown(err) {
				t.Errorf("failing body: %v (unknown %v), want the body's error, known", err, backends.Unknown(err))
			}
			_, err = s.Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader("short"), Size: int64(size)})
			if !errors.Is(err, io.ErrUnexpectedEOF) || backends.Unknown(err) {
				t.Errorf("short body: %v (unknown %v)", err, backends.Unknown(err))
			}
		}
	}
	holds(t, s, "old", "old content")
	lacks(t, s, "new")
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func cancelled(t *testing.T, s backends.Store) {
	put(t, s, "k", "content")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errGet := s.Get(ctx, backends.GetRequest{Key: "k"})
	_, errList := s.List(ctx, backends.ListRequest{MaxKeys: 10})
	_, errPut := s.Put(ctx, backends.PutRequest{Key: "k", Body: strings.NewReader("other"), Size: 5})
	for _, err := range []error{errGet, errList, errPut} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	}
	holds(t, s, "k", "content")
}

func concurrentPuts(t *testing.T, s backends.Store) {
	done := make(chan error)
	var contents []string
	for i := range 8 {
		content := strings.Repeat(string(rune('a'+i)), 100<<10)
		contents = append(contents, content)
		go func() {
			_, err := s.Put(t.Context(), backends.PutRequest{Key: "k", Body: bytes.NewReader([]byte(content)), Size: int64(len(content))})
			done <- err
		}()
	}
	for range contents {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got, _ := get(t, s, backends.GetRequest{Key: "k"}); !slices.Contains(contents, got) {
		t.Errorf("a mixture: %.50q", got)
	}
}

func named(keys []string) backends.DeleteManyRequest {
	r := backends.DeleteManyRequest{Objects: make([]backends.ObjectVersion, len(keys))}
	for i, key := range keys {
		r.Objects[i].Key = key
	}
	return r
}
