package sigv4

import "fmt"

// Error is a refusal in S3's words
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
type Error struct {
	Code    string // S3's error code, for example "SignatureDoesNotMatch"
	Message string // for people

	// What S3 shows beside SignatureDoesNotMatch, so that the author of a client
	// finds the line that differs; empty with every other code. CanonicalRequest
	// is also empty when the signature is a chunk's or a trailer's. None of it is
	// secret: it is made of what the client sent.
	AccessKeyID       string
	StringToSign      string
	SignatureProvided string
	CanonicalRequest  string
	// HeadersNotSigned are the headers that had to be signed and were not.
	HeadersNotSigned string
	// ArgumentName and ArgumentValue are what InvalidArgument is said of.
	ArgumentName, ArgumentValue string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func mismatch(accessKeyID, stringToSign, provided string) *Error {
	return &Error{
		Code:         "SignatureDoesNotMatch",
		Message:      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		AccessKeyID:  accessKeyID,
		StringToSign: stringToSign, SignatureProvided: provided,
	}
}
