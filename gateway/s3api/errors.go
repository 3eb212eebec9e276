package s3api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"sluice/backends"
)

// Error is an error as S3 answers it.
type Error struct {
	Code    string // S3's word for it, for example "NoSuchKey"
	Message string // for people
	Status  int    // HTTP
	// Header holds further response headers, or nil: Allow with
	// MethodNotAllowed.
	Header http.Header
	// Details are the further elements that S3 has with some codes.
	Details []backends.Detail
}

// with adds a further element.
func (e *Error) with(name, value string) *Error {
	e.Details = append(e.Details, backends.Detail{Name: name, Value: value})
	return e
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// ErrorFor makes the error of a code with S3's status for it. An empty message
// becomes S3's own. A code that S3 does not document counts as a client's error
// (400).
func ErrorFor(code, message string) *Error {
	row, known := errorTable[code]
	if !known {
		row = errorRow{http.StatusBadRequest, code}
	}
	return &Error{Code: code, Message: cmp.Or(message, row.message), Status: row.status}
}

func invalidArgument(message string) *Error { return ErrorFor("InvalidArgument", message) }

// FromError finds the S3 error to answer for any error: itself if there is an
// *Error in its chain (a body that failed its checks comes back wrapped in the
// store's error), else by the kind of a *backends.Error, else InternalError.
//
// What a store finds wrong with our credentials, our clock or its bucket is never
// told to a client as if it concerned the client: these are the operator's to mend,
// and answered 503 ServiceUnavailable. A NoSuchBucket would make clients create the
// bucket (and loop). What a store says about the request itself, a denial included,
// is the client's answer, in the store's words.
func FromError(err error) *Error {
	var answer *Error
	if errors.As(err, &answer) {
		return answer
	}
	var store *backends.Error
	switch {
	case errors.As(err, &store):
		return fromStore(store)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, backends.ErrUnavailable):
		return ErrorFor("ServiceUnavailable", "")
	}
	return ErrorFor("InternalError", "")
}

// operatorCodes are a store's answers about our request as such: its
// credentials, signature, clock, region, address. SDKs act on some of them (they
// change region or host), which would lead a client astray.
var operatorCodes = map[string]bool{
	"AccountProblem": true, "AuthorizationHeaderMalformed": true, "ExpiredToken": true,
	"IllegalLocationConstraintException": true, "InvalidAccessKeyId": true, "InvalidToken": true,
	"NoSuchBucket": true, "PermanentRedirect": true, "RequestTimeTooSkewed": true,
	"SignatureDoesNotMatch": true, "TemporaryRedirect": true,
}

// fromStore passes on what the store said. Where it said nothing, or what only the
// operator can act on, the kind of the failure decides.
func fromStore(e *backends.Error) *Error {
	switch {
	case e.Kind == backends.ErrNoBucket:
		return ErrorFor("ServiceUnavailable", fmt.Sprintf(
			"The bucket behind the store %q is missing; nothing is known about its objects. The operator has to restore it.", e.Store))
	case operatorCodes[e.Code] || e.Kind == backends.ErrDenied && e.Code == "":
		return ErrorFor("ServiceUnavailable", fmt.Sprintf(
			"The store %q refused the gateway (%s); the operator has to check its credentials and their rights.",
			e.Store, cmp.Or(e.Code, "AccessDenied")))
	case e.Kind == backends.ErrSlowDown:
		return ErrorFor("SlowDown", "")
	case e.Kind == backends.ErrUnavailable && e.Code == "":
		return ErrorFor("ServiceUnavailable", "")
	}
	said := e.Code
	if said == "" {
		said = codeOf(e)
	}
	answer := ErrorFor(said, e.Message)
	if e.Code != "" && e.Status >= 400 {
		answer.Status = e.Status
	}
	answer.Header, answer.Details = e.Header, e.Details
	return answer
}

// codeOf is the code of an answer that had none, as those to HEAD have.
func codeOf(e *backends.Error) string {
	switch e.Kind {
	case backends.ErrNotFound:
		return "NoSuchKey"
	case backends.ErrNoUpload:
		return "NoSuchUpload"
	case backends.ErrPrecondition:
		if e.Status == http.StatusNotModified {
			return "NotModified"
		}
		return "PreconditionFailed"
	case backends.ErrInvalidRange:
		return "InvalidRange"
	case backends.ErrConflict:
		return "OperationAborted"
	case backends.ErrNotSupported:
		if e.Status == http.StatusMethodNotAllowed {
			return "MethodNotAllowed"
		}
		return "NotImplemented"
	}
	return "InvalidRequest"
}

// WriteError answers err (see FromError). resource is the path that was asked
// for. A HEAD request and NotModified get no body. When the client itself is
// gone there is nobody to answer; the status is then 499, as access logs have it.
func WriteError(w http.ResponseWriter, r *http.Request, err error, resource, requestID string) {
	h := w.Header()
	for _, name := range []string{
		"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Length", "Content-Range", "Content-Type", "Etag", "Expires", "Last-Modified",
	} {
		h.Del(name) // of an answer that was prepared and did not come to pass
	}
	// Only the client's own leaving counts: a cancellation from elsewhere is
	// an error that a live client has to hear of.
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(statusClientGone)
		return
	}
	e := FromError(err)
	setAll(h, e.Header)
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1") // S3 sends none; HTTP clients that are no SDKs know it
	}
	if r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		w.WriteHeader(e.Status)
		return
	}
	doc := newDocument()
	doc.error(e, resource, requestID)
	doc.send(w, e.Status)
}

// statusClientGone is nginx's status for a client that closed the connection.
const statusClientGone = 499
