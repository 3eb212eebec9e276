package s3api

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/backends"
)

func TestErrorsOfStores(t *testing.T) {
	store := func(kind error, status int, code string) error {
		return fmt.Errorf("wrapped: %w", &backends.Error{Store: "minio", Kind: kind, Status: status, Code: code, Message: "words"})
	}
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"not found":           {store(backends.ErrNotFound, 404, "NoSuchKey"), 404, "NoSuchKey"},
		"no version":          {store(backends.ErrNotFound, 404, "NoSuchVersion"), 404, "NoSuchVersion"},
		"no bucket":           {store(backends.ErrNoBucket, 404, "NoSuchBucket"), 503, "ServiceUnavailable"},
		"no bucket, invalid":  {store(backends.ErrInvalid, 404, "NoSuchBucket"), 503, "ServiceUnavailable"},
		"no upload":           {store(backends.ErrNoUpload, 404, "NoSuchUpload"), 404, "NoSuchUpload"},
		"denied":              {store(backends.ErrDenied, 403, "AccessDenied"), 403, "AccessDenied"},
		"archived":            {store(backends.ErrDenied, 403, "InvalidObjectState"), 403, "InvalidObjectState"},
		"our wrong region":    {store(backends.ErrInvalid, 400, "AuthorizationHeaderMalformed"), 503, "ServiceUnavailable"},
		"unavailable":         {store(backends.ErrUnavailable, 502, ""), 503, "ServiceUnavailable"},
		"slow down":           {store(backends.ErrSlowDown, 429, ""), 503, "SlowDown"},
		"conflict":            {store(backends.ErrConflict, 409, "ConditionalRequestConflict"), 409, "ConditionalRequestConflict"},
		"conflict, no code":   {store(backends.ErrConflict, 409, ""), 409, "OperationAborted"},
		"precondition":        {store(backends.ErrPrecondition, 412, "PreconditionFailed"), 412, "PreconditionFailed"},
		"range":               {store(backends.ErrInvalidRange, 416, "InvalidRange"), 416, "InvalidRange"},
		"not supported":       {store(backends.ErrNotSupported, 501, "NotImplemented"), 501, "NotImplemented"},
		"invalid":             {store(backends.ErrInvalid, 400, "EntityTooSmall"), 400, "EntityTooSmall"},
		"invalid, new code":   {store(backends.ErrInvalid, 422, "Novelty"), 422, "Novelty"},
		"invalid, odd status": {store(backends.ErrInvalid, 0, ""), 400, "InvalidRequest"},
		"body check in store error": {
			&backends.Error{Kind: backends.ErrUnavailable, Err: ErrorFor("BadDigest", "")}, 400, "BadDigest",
		},
		"deadline": {context.DeadlineExceeded, 503, "ServiceUnavailable"},
		"other":    {errors.New("secret detail"), 500, "InternalError"},
		"own":      {ErrorFor("MalformedXML", "m"), 400, "MalformedXML"},
	} {
		e := FromError(c.err)
		if e.Status != c.status || e.Code != c.code || e.Message == "" || strings.Contains(e.Message, "secret") {
			t.Errorf("%s: got %d %v", name, e.Status, e)
		}
	}
}

func TestErrorFor(t *testing.T) {
	if e := ErrorFor("SlowDown", ""); e.Status != 503 || e.Message == "" {
		t.Errorf("got %+v", e)
	}
	if e := ErrorFor("Unheard", ""); e.Status != 400 || e.Message != "Unheard" {
		t.Errorf("got %+v", e)
	}
	for code, row := range errorTable {
		if http.StatusText(row.status) == "" || row.message == "" {
			t.Errorf("%s: %+v", code, row)
		}
	}
}

func TestWriteError(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("ETag", `"of an answer given up"`)
	w.Header().Set("Content-Length", "1000")
	WriteError(w, request(t, "GET", "/photos/k"), ErrorFor("SlowDown", "a <&\x01 b"), "/photos/\x01€ <k>", "id1")
	var doc struct {
		XMLName                            xml.Name `xml:"Error"`
		Code, Message, Resource, RequestID string
	}
	body := strings.ReplaceAll(w.Body.String(), "RequestId", "RequestID")
	if err := xml.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err, body)
	}
	if doc.Code != "SlowDown" || doc.Message != "a <&\uFFFD b" || doc.Resource != "/photos/%01%E2%82%AC <k>" || doc.RequestID != "id1" {
		t.Errorf("got %+v", doc)
	}
	h := w.Result().Header
	if w.Code != 503 || h.Get("Retry-After") == "" || h.Get("ETag") != "" || h.Get("Content-Type") != "application/xml" ||
		h.Get("Content-Length") != fmt.Sprint(w.Body.Len()) || !strings.HasPrefix(body, xmlDeclaration) {
		t.Errorf("got %d %v %q", w.Code, h, body)
	}
}

func TestAnswersWithoutBody(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	get, head := request(t, "GET", "/photos/k"), request(t, "HEAD", "/photos/k")
	for name, c := range map[string]struct {
		r      *http.Request
		err    error
		status int
		empty  bool
	}{
		"HEAD":                   {head, ErrorFor("NoSuchKey", ""), 404, true},
		"not modified":           {get, ErrorFor("NotModified", ""), 304, true},
		"client gone":            {get.WithContext(gone), fmt.Errorf("read: %w", context.Canceled), 499, true},
		"cancelled by ourselves": {get, context.Canceled, 500, false},
	} {
		w := httptest.NewRecorder()
		WriteError(w, c.r, c.err, "/", "id")
		if w.Code != c.status || (w.Body.Len() == 0) != c.empty {
			t.Errorf("%s: got %d, %q", name, w.Code, w.Body)
		}
	}
}

func TestMethodNotAllowedNamesTheMethods(t *testing.T) {
	r := request(t, "POST", "/photos/k?acl")
	_, err := Parse(r, "")
	w := httptest.NewRecorder()
	WriteError(w, r, err, "/photos/k", "id")
	if w.Code != 405 || w.Header().Get("Allow") != "GET, PUT" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}
