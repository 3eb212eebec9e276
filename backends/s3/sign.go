package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// signature4 signs requests by version 4, as minio-go's signer does, which derives a day's key
// anew for each of them.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
type signature4 struct{ last atomic.Pointer[dayKey] }

// dayKey signs a region's requests for a day.
type dayKey struct {
	secret, region, day string
	macs                sync.Pool // of hash.Hash, under the key
}

const (
	amzDate   = "20060102T150405Z"
	algorithm = "AWS4-HMAC-SHA256"
	scopeEnd  = "/s3/aws4_request"
)

// sign signs a request that says the hash of its body. A stranger, without keys, signs
// nothing.
func (s *signature4) sign(req *http.Request, keys credentials.Value, region string, now time.Time) {
	if keys.AccessKeyID == "" || keys.SecretAccessKey == "" {
		return
	}
	date := now.UTC().Format(amzDate)
	day := date[:len("20060102")]
	req.Header["X-Amz-Date"] = []string{date}
	if keys.SessionToken != "" {
		req.Header["X-Amz-Security-Token"] = []string{keys.SessionToken}
	}
	buffer := texts.Get().(*[]byte)
	defer texts.Put(buffer)
	names := signedNames(req.Header)
	*buffer = appendCanonical((*buffer)[:0], req, names)
	sum := sha256.Sum256(*buffer)

	b := append(append(append((*buffer)[:0], algorithm+"\n"...), date...), '\n')
	b = append(appendScope(b, day, region), '\n')
	b = hex.AppendEncode(b, sum[:])
	signed := s.key(keys.SecretAccessKey, region, day).sign(b)
	b = append(append(append(b[:0], algorithm+" Credential="...), keys.AccessKeyID...), '/')
	b = append(appendScope(b, day, region), ", SignedHeaders="...)
	b = appendNames(b, names)
	b = hex.AppendEncode(append(b, ", Signature="...), signed)
	*buffer = b
	req.Header["Authorization"] = []string{string(b)}
}

func appendScope(b []byte, day, region string) []byte {
	return append(append(append(append(b, day...), '/'), region...), scopeEnd...)
}

// appendCanonical is the request as it is signed.
func appendCanonical(b []byte, req *http.Request, names []string) []byte {
	b = append(append(b, req.Method...), '\n')
	b = append(append(b, req.URL.RawPath...), '\n') // which build sets, always
	b = append(append(b, req.URL.RawQuery...), '\n')
	for _, name := range names {
		b = append(appendLower(b, name), ':')
		if name == "Host" {
			b = append(b, req.Host...)
		}
		for i, value := range req.Header[name] {
			if i > 0 {
				b = append(b, ',')
			}
			if mayHaveSpace(value) {
				value = strings.Join(strings.Fields(value), " ")
			}
			b = append(b, value...)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(appendNames(b, names), '\n')
	return append(b, req.Header.Get("X-Amz-Content-Sha256")...)
}

// mayHaveSpace tells whether there is anything but printing ASCII in a value.
func mayHaveSpace(value string) bool {
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c >= 0x7f {
			return true
		}
	}
	return false
}

// signedNames are the headers that are signed: all but those that something on the way may
// change. In their canonical form they have the order of their lower case.
func signedNames(h http.Header) []string {
	names := make([]string, 0, len(h)+1)
	names = append(names, "Host")
	for name := range h {
		switch name {
		case "Accept-Encoding", "Authorization", "User-Agent":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func appendNames(b []byte, names []string) []byte {
	for i, name := range names {
		if i > 0 {
			b = append(b, ';')
		}
		b = appendLower(b, name)
	}
	return b
}

func appendLower(b []byte, name string) []byte {
	for _, c := range []byte(name) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// key is the key of a day.
func (s *signature4) key(secret, region, day string) *dayKey {
	if k := s.last.Load(); k != nil && k.secret == secret && k.region == region && k.day == day {
		return k
	}
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	k := &dayKey{secret: secret, region: region, day: day}
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	s.last.Store(k)
	return k
}

// sign signs a text.
func (k *dayKey) sign(text []byte) []byte {
	h := k.macs.Get().(hash.Hash) // which has the key prepared
	defer k.macs.Put(h)
	h.Reset()
	h.Write(text)
	return h.Sum(nil)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// texts are buffers for what is signed, and for a request's headers.
var texts = sync.Pool{New: func() any { return new([]byte) }}
