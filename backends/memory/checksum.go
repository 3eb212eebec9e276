package memory

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"

	"sluice/backends"
)

// checksum is a checksum of an object or a part; the zero value is none.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
type checksum struct {
	algorithm string // "CRC32"
	kind      string // fullObject or composite
	value     string // base64; of a composite one with "-N" behind it
}

const (
	fullObject = "FULL_OBJECT" // a hash of the object's bytes
	composite  = "COMPOSITE"   // a hash of its parts' hashes

	checksumPrefix = "X-Amz-Checksum-"
)

// hashes are the algorithms.
var hashes = map[string]func() hash.Hash{
	"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
	"CRC32C":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"CRC64NVME": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"SHA1":      sha1.New,
	"SHA256":    sha256.New,
}

// hashed is the checksum of content.
func hashed(algorithm string, content []byte) checksum {
	if algorithm == "" {
		return checksum{}
	}
	h := hashes[algorithm]()
	h.Write(content)
	return checksum{algorithm, fullObject, base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

// addTo puts the checksum into an answer's header.
func (s checksum) addTo(h http.Header) {
	if s.value != "" {
		h.Set(checksumPrefix+s.algorithm, s.value)
	}
	if s.kind != "" {
		h.Set(checksumPrefix+"Type", s.kind)
	}
}

// stated is the checksum that a request states before or behind its body.
func (c call) stated(h http.Header, t *backends.Trailer) (checksum, error) {
	var found checksum
	for algorithm := range hashes {
		value := h.Get(checksumPrefix + algorithm)
		if t != nil && strings.EqualFold(t.Name, checksumPrefix+algorithm) {
			value = t.Value()
		}
		switch {
		case value != "" && found.value != "":
			return checksum{}, c.invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		case value != "":
			found = checksum{algorithm, fullObject, value}
		}
	}
	return found, nil
}

// verify compares a stated checksum with the content.
func (c call) verify(stated checksum, content []byte) error {
	if stated != hashed(stated.algorithm, content) {
		return c.refuse("BadDigest")
	}
	return nil
}

// mismatch is the error of a checksum of another algorithm than the upload was opened
// for.
func (c call) mismatch(opened, stated checksum) error {
	name := func(s checksum) string { return strings.ToLower(cmp.Or(s.algorithm, "null")) }
	return c.invalid(fmt.Sprintf("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", name(opened), name(stated)))
}

// announced is the algorithm and kind of checksum that an upload is opened for. Hashes
// that can not be joined are composite only, and CRC64NVME never is.
func (c call) announced(h http.Header) (checksum, error) {
	algorithm, kind := strings.ToUpper(h.Get(checksumPrefix+"Algorithm")), h.Get(checksumPrefix+"Type")
	if algorithm == "" && kind == "" {
		return checksum{}, nil
	}
	if hashes[algorithm] == nil {
		return checksum{}, c.invalid("Checksum algorithm provided is unsupported.")
	}
	only := ""
	switch algorithm {
	case "CRC64NVME":
		only = fullObject
	case "SHA1", "SHA256":
		only = composite
	}
	switch {
	case kind == "" && only == "":
		kind = composite
	case kind == "":
		kind = only
	case kind != fullObject && kind != composite, only != "" && kind != only:
		return checksum{}, c.invalid(fmt.Sprintf("The %s checksum type cannot be used with the %s checksum algorithm.", kind, strings.ToLower(algorithm)))
	}
	return checksum{algorithm: algorithm, kind: kind}, nil
}

// assembled is the checksum of an object made of parts, of the kind its upload was
// opened for.
func assembled(opened checksum, parts []*part, content []byte) checksum {
	if opened.kind != composite {
		return hashed(opened.algorithm, content)
	}
	var sums []byte
	for _, p := range parts {
		raw, _ := base64.StdEncoding.DecodeString(p.sum.value) // our own
		sums = append(sums, raw...)
	}
	sum := hashed(opened.algorithm, sums)
	return checksum{sum.algorithm, composite, fmt.Sprintf("%s-%d", sum.value, len(parts))}
}
