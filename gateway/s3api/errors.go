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
// What a store says of itself or of our credentials is never told to a client
// as if it concerned the client: a missing bucket, a denial, a rejected
// signature, a redirect are the operator's to mend, so they are answered 503
// ServiceUnavailable. A NoSuchBucket would make clients create the bucket (and
// loop); a 403 is, by S3's own convention, what an absent object looks like to
// somebody who may not list, and CDNs keep it as such, although nothing is known
// about the object (I6). A 503 is retried, and works once the operator has acted.
// The price: the rare denial that does concern one object (a locked version)
// looks temporary too; a store says it in the same words, so it can not be told
// apart.
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

// fromStore maps a store's failure by its kind.
func fromStore(e *backends.Error) *Error {
	switch e.Kind {
	case backends.ErrNotFound:
		if e.Code == "NoSuchVersion" {
			return ErrorFor("NoSuchVersion", "")
		}
		return ErrorFor("NoSuchKey", "")
	case backends.ErrNoUpload:
		return ErrorFor("NoSuchUpload", "")
	case backends.ErrPrecondition:
		return ErrorFor("PreconditionFailed", "")
	case backends.ErrInvalidRange:
		return ErrorFor("InvalidRange", "")
	case backends.ErrNotSupported:
		return ErrorFor("NotImplemented", fmt.Sprintf("The store %q does not support this: %s", e.Store, e.Message))
	case backends.ErrSlowDown:
		return ErrorFor("SlowDown", "")
	case backends.ErrNoBucket:
		return ErrorFor("ServiceUnavailable", fmt.Sprintf(
			"The bucket behind the store %q is missing; nothing is known about its objects. The operator has to restore it.", e.Store))
	case backends.ErrDenied:
		if e.Code == "InvalidObjectState" { // an archived object: a 403 that is no denial
			return ErrorFor(e.Code, e.Message)
		}
		return denied(e)
	case backends.ErrConflict:
		return &Error{
			Code: cmp.Or(e.Code, "OperationAborted"), Status: http.StatusConflict,
			Message: cmp.Or(e.Message, errorTable["OperationAborted"].message),
		}
	case backends.ErrInvalid:
		return refused(e)
	}
	return ErrorFor("ServiceUnavailable", "") // ErrUnavailable, and what is not known
}

// denied words a store's refusal of our credentials.
func denied(e *backends.Error) *Error {
	return ErrorFor("ServiceUnavailable", fmt.Sprintf(
		"The store %q refused the gateway (%s); the operator has to check its credentials and their rights.",
		e.Store, cmp.Or(e.Code, "AccessDenied")))
}

// refused passes on what a store found wrong with the request.
func refused(e *backends.Error) *Error {
	if operatorCodes[e.Code] {
		return denied(e)
	}
	answer := ErrorFor(cmp.Or(e.Code, "InvalidRequest"), e.Message)
	if e.Status >= 400 && e.Status < 500 {
		answer.Status = e.Status
	}
	return answer
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
