package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
)

// answerComplete answers a CompleteMultipartUpload that takes this long, on a
// clock of the test's own.
func answerComplete(t *testing.T, takes time.Duration, result *backends.PutResult, err error) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	synctest.Test(t, func(t *testing.T) {
		r := request(t, "POST", "/photos/a%2Fb?uploadId=u")
		req, errParse := Parse(r, "")
		if errParse != nil {
			t.Fatal(errParse)
		}
		WriteComplete(w, r, req, "id1", func() (*backends.PutResult, error) {
			<-time.After(takes)
			return result, err
		})
		// The bubble ends only when every goroutine and timer in it has.
	})
	return w
}

var completed = &backends.PutResult{
	ETag:   "abc-2",
	Header: http.Header{"X-Amz-Version-Id": {"v1"}, "X-Amz-Checksum-Crc32": {"c="}},
}

type completedXML struct {
	XMLName                                    xml.Name
	Location, Bucket, Key, ETag, ChecksumCRC32 string
	Code                                       string
}

func decodeComplete(t *testing.T, w *httptest.ResponseRecorder) (c completedXML) {
	t.Helper()
	if err := xml.Unmarshal(w.Body.Bytes(), &c); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	return c
}

func TestCompleteAnswersAtOnceWhenItCan(t *testing.T) {
	w := answerComplete(t, time.Second, completed, nil)
	c := decodeComplete(t, w)
	if w.Code != 200 || w.Flushed || w.Header().Get("X-Amz-Version-Id") != "v1" || c.XMLName.Space != namespace ||
		c.Location != "http://s3.example.social/photos/a%2Fb" || c.Bucket != "photos" || c.Key != "a/b" ||
		c.ETag != `"abc-2"` || c.ChecksumCRC32 != "c=" {
		t.Errorf("got %d %v %+v", w.Code, w.Header(), c)
	}
	w = answerComplete(t, time.Second, nil, ErrorFor("InvalidPart", ""))
	if c := decodeComplete(t, w); w.Code != 400 || c.Code != "InvalidPart" {
		t.Errorf("got %d %+v", w.Code, c)
	}
}

func TestCompleteKeepsTheConnectionAlive(t *testing.T) {
	w := answerComplete(t, 7*time.Second, completed, nil)
	if !w.Flushed || w.Code != 200 || !strings.HasPrefix(w.Body.String(), xmlDeclaration+"  <CompleteMultipartUploadResult") {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	if c := decodeComplete(t, w); c.ETag != `"abc-2"` {
		t.Errorf("got %+v", c)
	}
}

func TestCompleteFailsInsideA200(t *testing.T) {
	w := answerComplete(t, 3*time.Second, nil, errors.New("torn"))
	c := decodeComplete(t, w)
	if w.Code != 200 || c.XMLName.Local != "Error" || c.Code != "InternalError" || strings.Count(w.Body.String(), "<?xml") != 1 {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestCompletePanicLeavesNothingRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		r := request(t, "POST", "/photos/k?uploadId=u")
		WriteComplete(httptest.NewRecorder(), r, parse(t, "POST", "/photos/k?uploadId=u"), "id",
			func() (*backends.PutResult, error) { panic("as a handler may") })
	})
}
