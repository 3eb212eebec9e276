package sigv4

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/minio/crc64nvme"
)

const checksumPrefix = "X-Amz-Checksum-"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// algorithms are the checksums of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var algorithms = map[string]func() hash.Hash{
	checksumPrefix + "Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	checksumPrefix + "Crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
	checksumPrefix + "Crc64nvme": func() hash.Hash { return crc64nvme.New() },
	checksumPrefix + "Sha1":      sha1.New,
	checksumPrefix + "Sha256":    sha256.New,
}

// expectChecksums sets up the checksums that headers carry or a trailer
// announces.
func (b *Body) expectChecksums() error {
	for name, values := range b.header {
		newHash := algorithms[name]
		if newHash == nil {
			continue
		}
		if len(values) != 1 || !validChecksum(values[0], newHash().Size()) {
			return refuse("InvalidRequest", "Value for %s header is invalid.", strings.ToLower(name))
		}
		b.expect(name, newHash(), func() (string, error) { return values[0], nil })
	}
	if b.chunks == nil {
		return nil
	}
	for _, trailer := range b.chunks.announced {
		name := http.CanonicalHeaderKey(trailer)
		newHash := algorithms[name]
		if newHash == nil {
			continue
		}
		size := newHash().Size()
		b.expect(name, newHash(), func() (string, error) {
			value := b.chunks.trailer.Get(name)
			if !validChecksum(value, size) {
				return "", refuse("InvalidRequest", "Value for %s trailing header is invalid.", strings.ToLower(name))
			}
			return value, nil
		})
	}
	return nil
}

func (b *Body) expect(name string, h hash.Hash, want func() (string, error)) {
	algorithm := strings.ToUpper(strings.TrimPrefix(name, checksumPrefix))
	b.checks = append(b.checks, check{name: name, hash: h, want: want, fail: func() error {
		return refuse("BadDigest", "The %s you specified did not match the calculated checksum.", algorithm)
	}})
}

func validChecksum(value string, size int) bool {
	sum, err := base64.StdEncoding.DecodeString(value)
	return err == nil && len(sum) == size
}
