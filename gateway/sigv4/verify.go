// Package sigv4 finds out who sent a request, and whether what arrives is what
// was signed: AWS Signature Version 4 by header, by query and by chunk, and the
// hashes and checksums that a client promises of a payload.
//
// The signature's rules are in
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxSkew is how far a request's time may be from ours.
const MaxSkew = 15 * time.Minute

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	maxExpires = 7 * 24 * time.Hour
)

// Error is a refusal, with S3's code for it.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Verifier checks signatures.
type Verifier struct {
	// Secret looks a key up.
	Secret func(accessKeyID string) (secret string, ok bool)
	// Region is what requests must be signed for; "" takes any, as a client's
	// region says nothing about the stores behind a gateway.
	Region string
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	keys sync.Map // keyScope → []byte: one signing key per key pair, day and region
	size int      // of keys; guarded by mu
	mu   sync.Mutex
}

// maxKeys bounds the remembered signing keys. Only valid key pairs get one.
const maxKeys = 1024

// Identity is who signed a request.
type Identity struct {
	AccessKeyID string
	Anonymous   bool // nobody did

	payload   string // x-amz-content-sha256 as signed
	signature string // the request's own, which chunks are chained to
	key       []byte
	date      string // X-Amz-Date
	scope     string
}

// credential is a parsed signature, from wherever it came.
type credential struct {
	accessKeyID, day, region string
	signed                   []string // header names, lower case, sorted
	signature                string
	date                     string
	at                       time.Time
	payload                  string
	presigned                bool
}

func (c *credential) scope() string { return c.day + "/" + c.region + "/s3/aws4_request" }

// Verify answers who signed r. A request that carries no signature at all is
// anonymous. Every other failure is an *Error.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	query := parseQuery(r.URL.RawQuery)
	header := r.Header.Get("Authorization")
	var c *credential
	var err error
	switch {
	case query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature"):
		if header != "" {
			return nil, refuse("InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter "+
				"or the Authorization header should be specified")
		}
		c, err = v.fromQuery(query)
	case query.Has("Signature") && query.Has("AWSAccessKeyId"), strings.HasPrefix(header, "AWS "):
		return nil, refuse("InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	case header != "":
		c, err = v.fromHeader(r, header)
	default:
		return &Identity{Anonymous: true, payload: r.Header.Get("X-Amz-Content-Sha256")}, nil
	}
	if err != nil {
		return nil, err
	}
	if v.Region != "" && c.region != v.Region {
		return nil, refuse("AuthorizationHeaderMalformed", "The authorization header is malformed; the region '%s' is wrong; expecting '%s'", c.region, v.Region)
	}
	if err := c.checkHeaders(r); err != nil {
		return nil, err
	}
	secret, ok := v.Secret(c.accessKeyID)
	if !ok {
		return nil, refuse("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	}
	key := v.signingKey(c, secret)
	canonical := c.canonicalRequest(r, query)
	want := sign(key, algorithm+"\n"+c.date+"\n"+c.scope()+"\n"+hexSHA256(canonical))
	if !hmac.Equal([]byte(want), []byte(c.signature)) {
		return nil, refuse("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	}
	return &Identity{
		AccessKeyID: c.accessKeyID, payload: c.payload, signature: c.signature,
		key: key, date: c.date, scope: c.scope(),
	}, nil
}

// parseQuery is url.ParseQuery, but a semicolon is a character like any other, and
// what can not be decoded stays as it is: no pair is ever dropped.
func parseQuery(raw string) url.Values {
	query := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		query[unescape(name)] = append(query[unescape(name)], unescape(value))
	}
	return query
}

func unescape(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

// fromHeader reads
// "AWS4-HMAC-SHA256 Credential=…/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;…,Signature=…".
func (v *Verifier) fromHeader(r *http.Request, header string) (*credential, error) {
	rest, ok := strings.CutPrefix(header, algorithm)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return nil, refuse("InvalidArgument", "Unsupported Authorization Type")
	}
	c := &credential{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			if err := c.readScope(value, "AuthorizationHeaderMalformed"); err != nil {
				return nil, err
			}
		case "SignedHeaders":
			c.signed = strings.Split(value, ";")
		case "Signature":
			c.signature = value
		}
	}
	if c.accessKeyID == "" || len(c.signed) == 0 || c.signature == "" {
		return nil, refuse("AuthorizationHeaderMalformed", "The authorization header is malformed; it must hold Credential, SignedHeaders and Signature.")
	}
	if err := c.readDate(r); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(c.date, c.day) {
		return nil, refuse("AuthorizationHeaderMalformed", "The authorization header is malformed; the date in the credential scope is not the request's.")
	}
	if skew := v.now().Sub(c.at); skew > MaxSkew || skew < -MaxSkew {
		return nil, refuse("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	c.payload = r.Header.Get("X-Amz-Content-Sha256")
	if c.payload == "" {
		return nil, refuse("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	return c, nil
}

// readDate takes the request's time from X-Amz-Date, else from Date.
func (c *credential) readDate(r *http.Request) error {
	if c.date = r.Header.Get("X-Amz-Date"); c.date != "" {
		at, err := time.Parse(timeFormat, c.date)
		if err == nil {
			c.at = at
			return nil
		}
	} else if at, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		c.at, c.date = at, at.UTC().Format(timeFormat)
		return nil
	}
	return refuse("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
}

// fromQuery reads a presigned URL's parameters.
func (v *Verifier) fromQuery(q url.Values) (*credential, error) {
	malformed := func(message string) error { return refuse("AuthorizationQueryParametersError", "%s", message) }
	for _, name := range []string{"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"} {
		if q.Get("X-Amz-"+name) == "" {
			return nil, malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, malformed(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	}
	c := &credential{
		presigned: true, signature: q.Get("X-Amz-Signature"), date: q.Get("X-Amz-Date"),
		signed: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"), payload: unsignedPayload,
	}
	if sum := q.Get("X-Amz-Content-Sha256"); sum != "" {
		c.payload = sum
	}
	if err := c.readScope(q.Get("X-Amz-Credential"), "AuthorizationQueryParametersError"); err != nil {
		return nil, err
	}
	var err error
	if c.at, err = time.Parse(timeFormat, c.date); err != nil {
		return nil, malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	if !strings.HasPrefix(c.date, c.day) {
		return nil, malformed("Invalid credential date. This date is not the same as X-Amz-Date.")
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	expires := time.Duration(seconds) * time.Second
	switch {
	case err != nil:
		return nil, malformed("X-Amz-Expires should be a number")
	case seconds < 0:
		return nil, malformed("X-Amz-Expires must be non-negative")
	case seconds > int(maxExpires/time.Second):
		return nil, malformed("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case v.now().After(c.at.Add(expires)):
		return nil, refuse("AccessDenied", "Request has expired")
	case c.at.After(v.now().Add(MaxSkew)):
		return nil, refuse("AccessDenied", "Request is not valid yet")
	}
	return c, nil
}

// readScope reads "AKID/20130524/us-east-1/s3/aws4_request". An access key id may
// itself hold slashes.
func (c *credential) readScope(text, code string) error {
	fields := strings.Split(text, "/")
	n := len(fields)
	if n < 5 || fields[n-1] != "aws4_request" || fields[n-2] != "s3" || len(fields[n-4]) != len("20060102") {
		return refuse(code, "The credential is malformed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/s3/aws4_request\".")
	}
	c.accessKeyID, c.day, c.region = strings.Join(fields[:n-4], "/"), fields[n-4], fields[n-3]
	return nil
}

// checkHeaders demands that what S3 acts on was signed: the host, and every
// x-amz-* header.
func (c *credential) checkHeaders(r *http.Request) error {
	if !slices.Contains(c.signed, "host") {
		return refuse("AccessDenied", "There were headers present in the request which were not signed: host")
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") || slices.Contains(c.signed, lower) {
			continue
		}
		if c.presigned && lower == "x-amz-content-sha256" {
			continue // says nothing that is acted on: the URL signs the payload
		}
		return refuse("AccessDenied", "There were headers present in the request which were not signed: %s", lower)
	}
	return nil
}

type keyScope struct{ accessKeyID, secret, day, region string }

// signingKey derives the day's key, or remembers it: four HMACs a request are a
// good part of what verifying costs.
func (v *Verifier) signingKey(c *credential, secret string) []byte {
	id := keyScope{c.accessKeyID, secret, c.day, c.region}
	if key, ok := v.keys.Load(id); ok {
		return key.([]byte)
	}
	key := []byte("AWS4" + secret)
	for _, part := range []string{c.day, c.region, "s3", "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.size++; v.size > maxKeys {
		v.keys.Clear()
		v.size = 1
	}
	v.keys.Store(id, key)
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sign(key []byte, text string) string { return hex.EncodeToString(hmacSHA256(key, text)) }

func hexSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
