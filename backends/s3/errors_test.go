package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
)

// answering is a store on a server that answers everything with one handler.
func answering(t *testing.T, handler http.HandlerFunc) *s3.Store {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return at(t, server.URL)
}

func at(t *testing.T, endpoint string) *s3.Store {
	t.Helper()
	s, err := s3.New(t.Context(), s3.Config{
		Name: "store", Endpoint: endpoint, Bucket: "bucket", AccessKeyID: "id", SecretAccessKey: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func put(ctx context.Context, s *s3.Store, body io.Reader, size int64) error {
	_, err := s.Put(ctx, backends.PutRequest{Key: "k", Body: body, Size: size})
	return err
}

func TestKindsOfFailure(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		kind    error
		unknown bool
	}{
		{404, "<Error><Code>NoSuchBucket</Code></Error>", backends.ErrNoBucket, false},
		{404, "<html>not found</html>", backends.ErrUnavailable, false},
		{403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", backends.ErrDenied, false},
		{403, "", backends.ErrDenied, false},
		{409, "<Error><Code>OperationAborted</Code></Error>", backends.ErrConflict, false},
		{412, "<Error><Code>PreconditionFailed</Code></Error>", backends.ErrPrecondition, false},
		{400, "<Error><Code>InvalidArgument</Code></Error>", backends.ErrInvalid, false},
		{429, "", backends.ErrSlowDown, false},
		{501, "<Error><Code>NotImplemented</Code></Error>", backends.ErrNotSupported, false},
		{503, "<Error><Code>SlowDown</Code></Error>", backends.ErrSlowDown, false},
		{503, "<Error><Code>ServiceUnavailable</Code></Error>", backends.ErrUnavailable, false},
		{503, "<html>proxy</html>", backends.ErrUnavailable, true},
		{500, "<Error><Code>InternalError</Code></Error>", backends.ErrUnavailable, true},
		{502, "", backends.ErrUnavailable, true},
		{504, "", backends.ErrUnavailable, true},
		{307, "", backends.ErrUnavailable, false},
	} {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			s := answering(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			err := put(t.Context(), s, strings.NewReader("content"), 7)
			if !errors.Is(err, c.kind) || backends.Unknown(err) != c.unknown {
				t.Errorf("error %v, unknown %v; want %v, %v", err, backends.Unknown(err), c.kind, c.unknown)
			}
		})
	}
}

// TestHazard06HeadProvesAbsence: HEAD answers have no body, so a 404 is asked again. With
// a Head that takes the 404 for an answer a missing bucket is a missing key.
func TestHazard06HeadProvesAbsence(t *testing.T) {
	for code, want := range map[string]error{
		"NoSuchKey": backends.ErrNotFound, "NoSuchBucket": backends.ErrNoBucket, "": backends.ErrUnavailable,
	} {
		s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			if code != "" {
				_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
			}
		})
		if _, err := s.Head(t.Context(), backends.GetRequest{Key: "k"}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
	}
}

// TestHazard10ErrorInsideASuccess: without the judgement of the root element (readXML) it
// is a success.
func TestHazard10ErrorInsideASuccess(t *testing.T) {
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<?xml version=\"1.0\"?>\n   \n<Error><Code>InternalError</Code></Error>")
	})
	_, err := s.CompleteUpload(t.Context(), backends.CompleteRequest{Key: "k", UploadID: "u", Parts: []backends.CompletedPart{{Number: 1, ETag: "e"}}})
	if err == nil || !backends.Unknown(err) {
		t.Errorf("complete: %v (unknown %v)", err, backends.Unknown(err))
	}
	if _, err := s.Copy(t.Context(), backends.CopyRequest{Key: "k", SourceKey: "l"}); err == nil || !backends.Unknown(err) {
		t.Errorf("copy: %v", err)
	}
}

// TestHazard07ListingIsWholeOrAnError: without the errors of listV2 a page without a
// token, and without those of readXML a cut one, is taken for the whole.
func TestHazard07ListingIsWholeOrAnError(t *testing.T) {
	for name, body := range map[string]string{
		"cut":              "<ListBucketResult><Contents><Key>a</Key></Contents>",
		"no token":         "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
		"another document": "<ListAllMyBucketsResult></ListAllMyBucketsResult>",
		"a page":           "<html></html>",
		"nothing":          "",
	} {
		s := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if page, err := s.List(t.Context(), backends.ListRequest{MaxKeys: 10}); err == nil {
			t.Errorf("%s: %+v without an error", name, page)
		}
	}
}

func TestBodyCutShort(t *testing.T) {
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "only this")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	o, err := s.Get(t.Context(), backends.GetRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	if _, err := io.ReadAll(o.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
	}
}

func TestOutcomeWithoutAnAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := at(t, "http://"+l.Addr().String())
	l.Close()
	if err := put(t.Context(), refused, strings.NewReader("content"), 7); !errors.Is(err, backends.ErrUnavailable) || backends.Unknown(err) {
		t.Errorf("refused: %v (unknown %v), want known", err, backends.Unknown(err))
	}
	if _, err := refused.Delete(t.Context(), backends.DeleteRequest{Key: "k"}); backends.Unknown(err) {
		t.Errorf("refused delete: %v is unknown", err)
	}
	release := make(chan struct{})
	silent := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	})
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := put(ctx, silent, strings.NewReader("content"), 7); !backends.Unknown(err) {
		t.Errorf("no answer to a complete request: %v is known", err)
	}
}

// TestKeysArriveAsSent: path and host carry exactly the bucket and the key.
func TestKeysArriveAsSent(t *testing.T) {
	var host, path string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		host, path = r.Host, r.RequestURI
	}))
	defer server.Close()
	for _, c := range []struct {
		virtual    bool
		key        string
		host, path string
	}{
		{false, "a//b/../c d%2F+é", "", "/bucket/a//b/../c%20d%252F%2B%C3%A9"},
		{true, "a//b", "bucket.", "/a//b"},
	} {
		s, err := s3.New(t.Context(), s3.Config{
			Endpoint: server.URL, Bucket: "bucket", AccessKeyID: "id", SecretAccessKey: "secret", VirtualHost: c.virtual,
			Transport: toServer{strings.TrimPrefix(server.URL, "http://")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Delete(t.Context(), backends.DeleteRequest{Key: c.key}); err != nil {
			t.Fatal(err)
		}
		if host != c.host+strings.TrimPrefix(server.URL, "http://") || path != c.path {
			t.Errorf("%q went to %s %s, want %s", c.key, host, path, c.path)
		}
	}
}

// toServer sends every request to one server, whatever its host.
type toServer struct{ address string }

func (s toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Host = s.address
	return http.DefaultTransport.RoundTrip(r)
}
