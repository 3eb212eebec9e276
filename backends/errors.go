package backends

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The kinds of failure, for errors.Is. Every error of a store is an *Error of
// one of these kinds.
var (
	// ErrNotFound: the store said that the key (or version) is absent. It is
	// the only proof of absence.
	ErrNotFound = errors.New("no such key")
	// ErrNoBucket: the bucket behind the store is missing. It says nothing
	// about any key.
	ErrNoBucket = errors.New("no such bucket")
	// ErrNoUpload: the multipart upload is not open.
	ErrNoUpload = errors.New("no such upload")
	// ErrDenied: the store's credentials lack a right, or are wrong.
	ErrDenied = errors.New("access denied")
	// ErrUnavailable: no usable answer: refused, reset, timed out, 5xx, or an
	// answer that is not S3's. Trying again later may help.
	ErrUnavailable = errors.New("store unavailable")
	// ErrSlowDown: the store asks for fewer requests (503 SlowDown, 429).
	ErrSlowDown = errors.New("store asks to slow down")
	// ErrConflict: another operation on the key is in the way (409).
	ErrConflict = errors.New("conflict")
	// ErrPrecondition: a condition of the request does not hold (412).
	ErrPrecondition = errors.New("precondition failed")
	// ErrInvalidRange: the range lies outside the object (416).
	ErrInvalidRange = errors.New("range not satisfiable")
	// ErrNotSupported: the store does not know the operation or a header of it.
	ErrNotSupported = errors.New("not supported by the store")
	// ErrInvalid: the store refused the request as malformed (any other 4xx).
	ErrInvalid = errors.New("invalid request")
)

// Error is a store's failure: what was tried, what came back, and what may have
// happened all the same.
type Error struct {
	Store   string // Reader.Name
	Op      string // the S3 operation, for example "PutObject"
	Key     string
	Kind    error  // one of the Err… values above
	Status  int    // the HTTP status, 0 if there was no answer
	Code    string // S3's error code, "" if there was no S3 answer
	Message string // the store's words
	// Header holds the answer's X-Amz-Delete-Marker, X-Amz-Version-Id, Allow and
	// Last-Modified, which say what a version that was asked for is; or nil.
	Header http.Header
	// Details are the further elements of the store's answer, such as the
	// condition that did not hold.
	Details []Detail
	Err     error // the cause below, if there is one
	// MaybeApplied: the mutation may have taken effect, or may still take
	// effect later. False only when the store's answer, or the lack of a
	// complete request, rules that out.
	MaybeApplied bool
}

// Detail is an element that S3 adds to the errors of some codes.
type Detail struct{ Name, Value string }

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q on store %s: %v", e.Op, e.Key, e.Store, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d %s)", e.Status, e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap makes errors.Is see both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Unsupported tells whether a store refused because it does not know, or does not
// allow, what was asked: asking again will not help. A denial counts: what can not be
// used is not there.
func Unsupported(err error) bool {
	return errors.Is(err, ErrNotSupported) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrDenied)
}

// Unknown tells whether a mutation that returned err may have changed the store,
// or may still change it. It is true for every error that does not say otherwise:
// guessing "no effect" is how acknowledged writes get lost.
func Unknown(err error) bool {
	if err == nil {
		return false
	}
	var e *Error
	return !errors.As(err, &e) || e.MaybeApplied
}
