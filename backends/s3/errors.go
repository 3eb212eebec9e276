package s3

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"

	"sluice/backends"
)

// errorXML is the body of an S3 error
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
type errorXML struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
	Other   []struct {
		XMLName xml.Name
		Text    string `xml:",chardata"`
	} `xml:",any"`
}

// details are the elements that say more, without those about the store itself.
func (e *errorXML) details() []backends.Detail {
	var details []backends.Detail
	for _, o := range e.Other {
		switch o.XMLName.Local {
		case "RequestId", "HostId", "Resource", "BucketName", "Region", "Server", "Bucket", "Endpoint":
		default:
			details = append(details, backends.Detail{Name: o.XMLName.Local, Value: strings.TrimSpace(o.Text)})
		}
	}
	return details
}

const maxErrorBody = 64 << 10

// refused reads an error answer.
func (s *Store) refused(r *request, resp *http.Response) error {
	var e errorXML
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if xml.Unmarshal(raw, &e) != nil {
		e = errorXML{}
	}
	if e.Code == "" {
		e.Code = resp.Header.Get("X-Minio-Error-Code") // HEAD answers have no body
	}
	return s.mapError(r, resp, e)
}

// codes gives kinds to the codes that say more than their status does.
var codes = map[string]error{
	"NoSuchKey":                     backends.ErrNotFound,
	"NoSuchVersion":                 backends.ErrNotFound,
	"NoSuchBucket":                  backends.ErrNoBucket,
	"NoSuchUpload":                  backends.ErrNoUpload,
	"AccessDenied":                  backends.ErrDenied,
	"AllAccessDisabled":             backends.ErrDenied,
	"AccountProblem":                backends.ErrDenied,
	"ExpiredToken":                  backends.ErrDenied,
	"InvalidAccessKeyId":            backends.ErrDenied,
	"InvalidToken":                  backends.ErrDenied,
	"RequestTimeTooSkewed":          backends.ErrDenied,
	"SignatureDoesNotMatch":         backends.ErrDenied,
	"SlowDown":                      backends.ErrSlowDown,
	"SlowDownRead":                  backends.ErrSlowDown,
	"SlowDownWrite":                 backends.ErrSlowDown,
	"TooManyRequests":               backends.ErrSlowDown,
	"RequestLimitExceeded":          backends.ErrSlowDown,
	"BandwidthLimitExceeded":        backends.ErrSlowDown,
	"PreconditionFailed":            backends.ErrPrecondition,
	"InvalidRange":                  backends.ErrInvalidRange,
	"NotImplemented":                backends.ErrNotSupported,
	"XNotImplemented":               backends.ErrNotSupported,
	"MethodNotAllowed":              backends.ErrNotSupported,
	"AccessControlListNotSupported": backends.ErrNotSupported,
	"OperationAborted":              backends.ErrConflict,
	"ConditionalRequestConflict":    backends.ErrConflict,
}

// mapError makes the typed error of an S3 answer.
func (s *Store) mapError(r *request, resp *http.Response, e errorXML) error {
	status := resp.StatusCode
	kind, known := codes[e.Code]
	if !known {
		kind = kindOf(r.method, status, e.Code)
	}
	if status == http.StatusNotFound && resp.Header.Get("X-Amz-Delete-Marker") == "true" {
		kind = backends.ErrNotFound
	}
	return &backends.Error{
		Store: s.name, Op: r.op, Key: r.key, Kind: kind,
		Status: status, Code: e.Code, Message: e.Message, Header: errorHeader(resp.Header), Details: e.details(),
		MaybeApplied: r.mutation && mayHaveApplied(status, kind, e.Code),
	}
}

// errorHeader picks what an error says of the version that was asked for.
func errorHeader(from http.Header) http.Header {
	if from.Get("X-Amz-Delete-Marker") == "" {
		return nil
	}
	h := make(http.Header)
	for _, name := range []string{"X-Amz-Delete-Marker", "X-Amz-Version-Id", "Allow", "Last-Modified"} {
		if v := from.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	return h
}

// kindOf is the kind of an answer by its status. A 404 without an S3 code is some
// proxy's page; with one that codes does not know it is about something else than
// the key (NoSuchTagSet). Neither proves anything of the key.
func kindOf(method string, status int, code string) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return backends.ErrDenied
	case http.StatusConflict:
		return backends.ErrConflict
	case http.StatusPreconditionFailed, http.StatusNotModified: // the latter of a copy's source
		return backends.ErrPrecondition
	case http.StatusRequestedRangeNotSatisfiable:
		return backends.ErrInvalidRange
	case http.StatusTooManyRequests:
		return backends.ErrSlowDown
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return backends.ErrNotSupported
	}
	if status >= 400 && status < 500 && (code != "" || method == http.MethodHead && status == http.StatusBadRequest) {
		return backends.ErrInvalid
	}
	return backends.ErrUnavailable
}

// mayHaveApplied: a 4xx, a 501, a denial and a request to slow down were given
// before anything was done. Any other 5xx, and an error in the body of a 200, may
// come from a store that had begun, or from a proxy whose store still works on it.
// So may MinIO's SlowDownWrite: it is the answer to a write that reached too few
// of the drives, and some of them have it.
func mayHaveApplied(status int, kind error, code string) bool {
	switch {
	case code == "SlowDownWrite":
		return true
	case kind == backends.ErrSlowDown || kind == backends.ErrNotSupported || kind == backends.ErrDenied:
		return false
	case status == http.StatusServiceUnavailable && code == "ServiceUnavailable":
		return false
	}
	return status < 300 || status >= 500
}
