package memory

import (
	"context"

	"sluice/backends"
)

// refusal is what S3 answers under a code.
type refusal struct {
	kind    error
	status  int
	message string
}

// refusals are S3's codes as far as the store has a use for them
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var refusals = map[string]refusal{
	"BadDigest":                 {backends.ErrInvalid, 400, "The digest you specified did not match what we received."},
	"IncompleteBody":            {backends.ErrInvalid, 400, "You did not provide the number of bytes specified by the Content-Length HTTP header"},
	"InvalidArgument":           {backends.ErrInvalid, 400, "Invalid Argument"},
	"InvalidDigest":             {backends.ErrInvalid, 400, "The Content-MD5 you specified was invalid."},
	"InvalidPart":               {backends.ErrInvalid, 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
	"InvalidPartNumber":         {backends.ErrInvalidRange, 416, "The requested partnumber is not satisfiable"},
	"InvalidPartOrder":          {backends.ErrInvalid, 400, "The list of parts was not in ascending order. Parts must be ordered by part number."},
	"InvalidRange":              {backends.ErrInvalidRange, 416, "The requested range is not satisfiable"},
	"InvalidRequest":            {backends.ErrInvalid, 400, "Invalid Request"},
	"InvalidStorageClass":       {backends.ErrInvalid, 400, "The storage class you specified is not valid"},
	"InvalidTag":                {backends.ErrInvalid, 400, "The tag provided was not a valid tag."},
	"KeyTooLongError":           {backends.ErrInvalid, 400, "Your key is too long"},
	"MalformedACLError":         {backends.ErrInvalid, 400, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MalformedXML":              {backends.ErrInvalid, 400, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MissingSecurityHeader":     {backends.ErrInvalid, 400, "Your request was missing a required header"},
	"NoSuchKey":                 {backends.ErrNotFound, 404, "The specified key does not exist."},
	"NoSuchUpload":              {backends.ErrNoUpload, 404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NotImplemented":            {backends.ErrNotSupported, 501, "A header you provided implies functionality that is not implemented"},
	"PreconditionFailed":        {backends.ErrPrecondition, 412, "At least one of the pre-conditions you specified did not hold"},
	"UnexpectedContent":         {backends.ErrInvalid, 400, "This request does not support content"},
	"XAmzContentSHA256Mismatch": {backends.ErrInvalid, 400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
}

// refuse is the error of a request that S3 refuses under the code. Nothing took effect.
func (c call) refuse(code string, details ...backends.Detail) *backends.Error {
	no := refusals[code]
	return &backends.Error{
		Store: c.store.name, Op: c.op, Key: c.key, Kind: no.kind,
		Status: no.status, Code: code, Message: no.message, Details: details,
	}
}

// invalid is an InvalidRequest, of which only the message says what it is about.
func (c call) invalid(message string) *backends.Error {
	err := c.refuse("InvalidRequest")
	err.Message = message
	return err
}

// condition is the error of a condition that does not hold.
func (c call) condition(name string) *backends.Error {
	return c.refuse("PreconditionFailed", backends.Detail{Name: "Condition", Value: name})
}

// unanswered is the error of a request that never became complete.
func (c call) unanswered(err error) *backends.Error {
	return &backends.Error{Store: c.store.name, Op: c.op, Key: c.key, Kind: backends.ErrUnavailable, Err: err}
}

// ended is the error of a call whose context ended before it took effect.
func (c call) ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return c.unanswered(context.Cause(ctx))
	}
	return nil
}
