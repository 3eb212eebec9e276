package sigv4

import (
	"io"
	"math"
	"net/http"
	"strings"
)

// LengthRange is how many bytes a file may have, both ends included.
type LengthRange struct{ Min, Max int64 }

// VerifyPost answers who signed the form of a PostObject request, and what size of
// file they allow. What is signed is the form's policy alone; so everything else
// in the form must be as the policy says
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html).
// A form without policy and signature is anonymous. Every failure is an *Error.
//
// bucket is the one that is posted to. fields are the form's, by lower-case name,
// without the file; the variables in them must be expanded.
func (v *Verifier) VerifyPost(bucket string, fields map[string]string) (*Identity, LengthRange, error) {
	c, err := v.fromForm(fields)
	if err != nil {
		return nil, LengthRange{}, err
	}
	if c == nil {
		return &Identity{Anonymous: true}, LengthRange{Max: math.MaxInt64}, nil
	}
	c.token = fields["x-amz-security-token"]
	secret, err := v.secret(c)
	if err != nil {
		return nil, LengthRange{}, err
	}
	text := fields["policy"] // in base64, as it was sent
	if !v.checkForm(c, secret, text) {
		return nil, LengthRange{}, mismatch(c.accessKeyID, text, c.signature)
	}
	p, err := parsePolicy(text)
	if err == nil {
		err = p.check(v.now(), bucket, fields)
	}
	if err != nil {
		return nil, LengthRange{}, err
	}
	return &Identity{AccessKeyID: c.accessKeyID}, p.sizes, nil
}

// checkForm tells whether c's signature is that of a policy. Forms last: pages made
// for version 2, whose signature is an HMAC-SHA1, are still about, and for forms
// it is no weaker than what they are, so Version2 does not switch it
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTForms.html).
func (v *Verifier) checkForm(c *credential, secret, policy string) bool {
	if c.version2 {
		return c.matches2(secret, policy)
	}
	_, ok := v.checkSignature(c, secret, policy)
	return ok
}

// credentialFields are those that a signed form has, as S3 spells them.
var credentialFields = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "policy"}

// fromForm reads a form's credential; nil if there is none. The form's date is not
// held against the clock: it is the policy that says how long the form is good.
func (v *Verifier) fromForm(fields map[string]string) (*credential, error) {
	missing, sent := "", 0
	for _, name := range credentialFields {
		value, ok := fields[strings.ToLower(name)]
		if ok {
			sent++
		}
		if value == "" && missing == "" {
			missing = name
		}
	}
	switch {
	case fields["x-amz-algorithm"] == "" && fields["x-amz-signature"] == "" && (fields["awsaccesskeyid"] != "" || fields["signature"] != ""):
		return fromForm2(fields)
	case sent == 0:
		return nil, nil
	case missing != "":
		return nil, refuse("InvalidArgument", "Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", missing)
	case fields["x-amz-algorithm"] != algorithm:
		return nil, refuse("InvalidArgument", "Only %s is supported", algorithm)
	}
	c := &credential{form: true, signature: fields["x-amz-signature"], date: fields["x-amz-date"]}
	if err := v.readScope(c, fields["x-amz-credential"]); err != nil {
		return nil, err
	}
	if !c.parseDate() {
		return nil, c.malformed("X-Amz-Date must be formated via ISO8601 Long format")
	}
	if !strings.HasPrefix(c.date, c.day) {
		return nil, c.malformed("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", c.day, c.date[:len(c.day)])
	}
	return c, nil
}

// fromForm2 reads the credential of a form that is signed by version 2.
func fromForm2(fields map[string]string) (*credential, error) {
	for _, name := range []string{"AWSAccessKeyId", "signature", "policy"} {
		if fields[strings.ToLower(name)] == "" {
			return nil, refuse("InvalidArgument", "Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", name)
		}
	}
	return &credential{form: true, version2: true, accessKeyID: fields["awsaccesskeyid"], signature: fields["signature"]}, nil
}

// FormBody is the Body of a form's file: header holds what the form's fields
// promise of it (Content-MD5, x-amz-checksum-*), by canonical name.
func FormBody(file io.Reader, header http.Header) (*Body, error) {
	b := &Body{Size: -1, src: file}
	if err := b.expectMD5(header["Content-Md5"]); err != nil {
		return nil, err
	}
	return b, b.expectChecksums(header)
}
