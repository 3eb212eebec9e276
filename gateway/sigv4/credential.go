package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm      = "AWS4-HMAC-SHA256"
	asymmetric     = "AWS4-ECDSA-P256-SHA256"
	timeFormat     = "20060102T150405Z"
	maxExpires     = 7 * 24 * 60 * 60 // seconds
	maxSigned      = 128              // signed headers; real clients sign about ten
	malformed      = "AuthorizationHeaderMalformed"
	malformedQuery = "AuthorizationQueryParametersError"
)

// credential is a parsed signature, from wherever it came.
type credential struct {
	accessKeyID string
	day, region string
	scope       string   // "20130524/us-east-1/s3/aws4_request"
	signed      []string // header names as the client listed them
	signedList  string   // the same, joined by ";"
	signature   string
	date        string // X-Amz-Date, as it was signed
	at          time.Time
	payload     string // x-amz-content-sha256
	token       string // x-amz-security-token
	presigned   bool
	form        bool // the fields of a form that is posted
	version2    bool // an HMAC-SHA1; then there is no scope, and date is the line that was signed
}

// fromHeader reads
// "AWS4-HMAC-SHA256 Credential=…/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;…,Signature=…".
func (v *Verifier) fromHeader(r *http.Request, header string) (*credential, error) {
	kind, fields, spaced := strings.Cut(header, " ")
	switch kind {
	case algorithm:
	case asymmetric:
		return nil, refuse("NotImplemented", "Please use AWS4-HMAC-SHA256.")
	default:
		err := refuse("InvalidArgument", "Unsupported Authorization Type")
		if !spaced {
			err.Message = "Authorization header is invalid -- one and only one ' ' (space) required."
		}
		err.ArgumentName, err.ArgumentValue = "Authorization", header
		return nil, err
	}
	c := &credential{}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		var err error
		switch name {
		case "Credential":
			err = v.readScope(c, value)
		case "SignedHeaders":
			err = c.readSigned(value)
		case "Signature":
			c.signature = value
		}
		if err != nil {
			return nil, err
		}
	}
	for _, part := range []struct{ name, value string }{
		{"Credential", c.accessKeyID}, {"SignedHeaders", c.signedList}, {"Signature", c.signature},
	} {
		if part.value == "" {
			return nil, c.malformed("missing %s.", part.name)
		}
	}
	if err := c.readDate(r); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(c.date, c.day) {
		return nil, c.malformed("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", c.day, c.date[:len(c.day)])
	}
	if err := v.checkSkew(c.at); err != nil {
		return nil, err
	}
	if c.payload = r.Header.Get("X-Amz-Content-Sha256"); c.payload == "" {
		return nil, refuse("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	return c, checkPayload(c.payload)
}

// malformed refuses in the words of the place that the signature came from.
func (c *credential) malformed(format string, args ...any) error {
	switch {
	case c.presigned:
		return refuse(malformedQuery, format, args...)
	case c.form:
		return refuse("InvalidArgument", format, args...)
	}
	return refuse(malformed, "The authorization header is malformed; "+format, args...)
}

// malformedCredential is malformed, of the one parameter.
func (c *credential) malformedCredential(format string, args ...any) error {
	if c.presigned {
		format = "Error parsing the X-Amz-Credential parameter; " + format
	}
	return c.malformed(format, args...)
}

// readDate takes the request's time from X-Amz-Date, else from Date.
func (c *credential) readDate(r *http.Request) error {
	if c.date = r.Header.Get("X-Amz-Date"); c.date != "" {
		if c.parseDate() {
			return nil
		}
	} else if at, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		c.at, c.date = at, at.UTC().Format(timeFormat)
		return nil
	}
	return noDate()
}

func noDate() error {
	return refuse("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
}

// checkSkew holds a request's time against the clock.
func (v *Verifier) checkSkew(at time.Time) error {
	if skew := v.now().Sub(at); skew > MaxSkew || skew < -MaxSkew {
		return refuse("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	return nil
}

// parseDate reads the date's long form, and no other: time.Parse alone would take
// fractions of a second too.
func (c *credential) parseDate() bool {
	at, err := time.Parse(timeFormat, c.date)
	c.at = at
	return err == nil && len(c.date) == len(timeFormat)
}

// fromQuery reads a presigned URL's parameters
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
func (v *Verifier) fromQuery(r *http.Request, q params) (*credential, error) {
	c := &credential{presigned: true}
	for _, name := range []string{"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"} {
		if q.get("X-Amz-"+name) == "" {
			return nil, c.malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	if q.get("X-Amz-Algorithm") != algorithm {
		return nil, c.malformed(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	}
	if err := v.readScope(c, q.get("X-Amz-Credential")); err != nil {
		return nil, err
	}
	if err := c.readSigned(q.get("X-Amz-SignedHeaders")); err != nil {
		return nil, err
	}
	c.signature, c.date = q.get("X-Amz-Signature"), q.get("X-Amz-Date")
	if !c.parseDate() {
		return nil, c.malformed(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	if !strings.HasPrefix(c.date, c.day) {
		return nil, c.malformed("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", c.day, c.date[:len(c.day)])
	}
	c.payload = c.presignedPayload(r, q)
	return c, c.checkExpiry(v.now(), q.get("X-Amz-Expires"))
}

// presignedPayload is what a presigned URL says of the payload: nothing, as a
// rule, since it was signed before there was one.
func (c *credential) presignedPayload(r *http.Request, q params) string {
	if payload := q.get("X-Amz-Content-Sha256"); payload != "" {
		return payload
	}
	if payload := r.Header.Get("X-Amz-Content-Sha256"); payload != "" && slices.Contains(c.signed, "x-amz-content-sha256") {
		return payload
	}
	return unsignedPayload
}

// checkExpiry: a URL is good for 1 to 604,800 seconds.
func (c *credential) checkExpiry(now time.Time, expires string) error {
	seconds, err := strconv.Atoi(expires)
	switch {
	case err != nil:
		return c.malformed("X-Amz-Expires should be a number")
	case seconds < 0:
		return c.malformed("X-Amz-Expires must be non-negative")
	case seconds > maxExpires:
		return c.malformed("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case seconds == 0, now.After(c.at.Add(time.Duration(seconds) * time.Second)):
		return refuse("AccessDenied", "Request has expired")
	case c.at.After(now.Add(MaxSkew)):
		return refuse("AccessDenied", "Request is not valid yet")
	}
	return nil
}

// readScope reads "AKID/20130524/us-east-1/s3/aws4_request". An access key id may
// itself hold slashes.
func (v *Verifier) readScope(c *credential, text string) error {
	parts := strings.Split(text, "/")
	n := len(parts) - 4
	if n < 1 || n == 1 && parts[0] == "" {
		return c.malformedCredential(`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	c.accessKeyID, c.scope = strings.Join(parts[:n], "/"), strings.Join(parts[n:], "/")
	c.day, c.region = parts[n], parts[n+1]
	_, err := time.Parse("20060102", c.day)
	switch service, end := parts[n+2], parts[n+3]; {
	case service != "s3":
		return c.malformedCredential(`incorrect service %q. This endpoint belongs to "s3".`, service)
	case end != "aws4_request":
		return c.malformedCredential(`incorrect terminal %q. This endpoint uses "aws4_request".`, end)
	case err != nil:
		return c.malformedCredential(`incorrect date format %q. This date in the credential must be in the format "yyyyMMdd".`, c.day)
	}
	if v.Region != "" && c.region != v.Region {
		return c.malformed("the region '%s' is wrong; expecting '%s'", c.region, v.Region)
	}
	return nil
}

// readSigned reads the list of signed headers. Its length is bounded because
// every header is looked up in it before anything is known about the client.
func (c *credential) readSigned(list string) error {
	if strings.Count(list, ";") >= maxSigned {
		return c.malformed("too many signed headers")
	}
	c.signedList, c.signed = list, strings.Split(list, ";")
	return nil
}

// checkHeaders demands that what S3 acts on was signed: the host, and every
// x-amz-* header.
func (c *credential) checkHeaders(r *http.Request) error {
	var missing []string
	if !slices.Contains(c.signed, "host") {
		missing = append(missing, "host")
	}
	for name, values := range r.Header {
		if !strings.HasPrefix(name, "X-Amz-") || slices.Contains(c.signed, strings.ToLower(name)) {
			continue
		}
		switch name {
		case "X-Amz-Cf-Id":
			continue // CloudFront adds it on the way here, and it asks for nothing
		case "X-Amz-Content-Sha256":
			// Clients send it beside a presigned URL, and S3 lets them; Body sees to
			// it that a hash is kept. But it must not change the payload's framing.
			if c.presigned && !strings.HasPrefix(values[0], streaming) {
				continue
			}
		}
		missing = append(missing, strings.ToLower(name))
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	err := refuse("AccessDenied", "There were headers present in the request which were not signed")
	err.HeadersNotSigned = strings.Join(missing, ", ")
	return err
}
