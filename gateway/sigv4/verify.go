// Package sigv4 finds out who sent a request, and whether what arrives is what
// was signed: AWS Signature Version 4 by header, by query and by chunk, and the
// hashes and checksums that a client promises of a payload. Signature Version 2 is
// read too, by header and by query, where a Verifier is told to.
//
// The signatures' rules are in
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
// and https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// MaxSkew is how far a request's time may be from ours.
const MaxSkew = 15 * time.Minute

// Verifier checks signatures. Its methods may be called at the same time.
type Verifier struct {
	// Key looks a key up.
	Key func(accessKeyID string) (k Key, ok bool)
	// Region is what requests must be signed for; "" takes any, as a client's
	// region says nothing about the stores behind a gateway. Version 2 has none.
	Region string
	// Version2 takes requests that are signed by version 2, which covers neither
	// the payload nor most of the query and of the headers.
	Version2 bool
	// HostBucket is the bucket that a host name carries, "" for path style: version
	// 2 signs it as a part of the path. nil is path style alone.
	HostBucket func(host string) string
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	once sync.Once // makes keys, so that a Verifier is ready as it is
	keys *lru.Cache[keyScope, []byte]
}

// Key is what a client signs with.
type Key struct {
	Secret string
	// SessionToken goes with a temporary key: requests must carry it. "" for one
	// that is not temporary: requests must carry none.
	SessionToken string
	Expires      time.Time // zero: never
}

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

// Verify answers who signed r. A request that carries no signature at all is
// anonymous. Every other failure is an *Error.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	c, err := v.readCredential(r, query)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return &Identity{Anonymous: true, payload: r.Header.Get("X-Amz-Content-Sha256")}, nil
	}
	c.token = cmp.Or(r.Header.Get("X-Amz-Security-Token"), query.get("X-Amz-Security-Token"), query.get("x-amz-security-token"))
	secret, err := v.secret(c)
	if err != nil {
		return nil, err
	}
	if c.version2 {
		return v.verify2(r, query, c, secret)
	}
	canonical := c.canonicalRequest(r, query)
	text := algorithm + "\n" + c.date + "\n" + c.scope + "\n" + hexSHA256(canonical)
	key, ok := v.checkSignature(c, secret, text)
	if !ok {
		err := mismatch(c.accessKeyID, text, c.signature)
		err.CanonicalRequest = string(canonical)
		return nil, err
	}
	return &Identity{
		AccessKeyID: c.accessKeyID, payload: c.payload, signature: c.signature,
		key: key, date: c.date, scope: c.scope,
	}, nil
}

// secret looks up the key that c names, and checks the session token that goes with
// it.
func (v *Verifier) secret(c *credential) (string, error) {
	key, ok := v.Key(c.accessKeyID)
	switch {
	case !ok:
		return "", refuse("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case !hmac.Equal([]byte(c.token), []byte(key.SessionToken)):
		return "", refuse("InvalidToken", "The provided token is malformed or otherwise invalid.")
	case !key.Expires.IsZero() && !v.now().Before(key.Expires):
		return "", refuse("ExpiredToken", "The provided token has expired.")
	}
	return key.Secret, nil
}

// checkSignature tells whether c's signature is that of text, and gives the key
// that text is signed with.
func (v *Verifier) checkSignature(c *credential, secret, text string) (key []byte, ok bool) {
	id := keyScope{c.accessKeyID, secret, c.scope}
	key, known := v.signingKey(id)
	if !hmac.Equal([]byte(sign(key, text)), []byte(c.signature)) {
		return nil, false
	}
	if !known {
		v.keys.Add(id, key)
	}
	return key, true
}

// readCredential finds the signature that r carries; nil if there is none.
func (v *Verifier) readCredential(r *http.Request, query params) (*credential, error) {
	header := r.Header.Get("Authorization")
	presigned := query.has("X-Amz-Algorithm") || query.has("X-Amz-Credential") || query.has("X-Amz-Signature")
	header2 := strings.HasPrefix(header, "AWS ")
	presigned2 := query.has("AWSAccessKeyId") && (v.Version2 || query.has("Signature"))
	var c *credential
	var err error
	switch {
	case presigned && header != "", v.Version2 && presigned2 && (presigned || header != ""):
		return nil, refuse("InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "+
			"Signature query string parameter or the Authorization header should be specified")
	case presigned:
		c, err = v.fromQuery(r, query)
	case !v.Version2 && (header2 || presigned2):
		return nil, refuse("InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	case presigned2:
		c, err = v.fromQuery2(query)
	case header2:
		c, err = v.fromHeader2(r, header)
	case header != "":
		c, err = v.fromHeader(r, header)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.version2 {
		return c, nil // it signs every x-amz-* header there is
	}
	return c, c.checkHeaders(r)
}

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

// maxKeys bounds the remembered signing keys: there is one per key pair, day and
// region.
const maxKeys = 1024

// keyScope is what a signing key depends on. The secret is part of it so that a
// changed one takes effect at once.
type keyScope struct{ accessKeyID, secret, scope string }

// signingKey derives the day's key, or remembers it: four HMACs a request are a
// good part of what verifying costs. checkSignature keeps a new one only once a signature
// was right, or anybody could push the others out by naming regions at will.
func (v *Verifier) signingKey(id keyScope) (key []byte, known bool) {
	v.once.Do(func() { v.keys, _ = lru.New[keyScope, []byte](maxKeys) }) // fails for a size below 1 only
	if key, ok := v.keys.Get(id); ok {
		return key, true
	}
	key = []byte("AWS4" + id.secret)
	for part := range strings.SplitSeq(id.scope, "/") {
		key = hmacSHA256(key, part)
	}
	return key, false
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sign(key []byte, text string) string { return hex.EncodeToString(hmacSHA256(key, text)) }

func hexSHA256(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
