package embedded

import (
	"io"

	"github.com/johannesboyne/gofakes3"
)

// replacing is a backend whose new objects replace the former ones whole: gofakes3's
// own add the former one's metadata where the new one has none of that name. What is
// not to be kept is stored empty, and not shown (answer.WriteHeader).
type replacing struct{ gofakes3.Backend }

// PutObject stores an object.
func (b replacing) PutObject(
	bucket, key string, meta map[string]string, input io.Reader, size int64, conditions *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	if before, err := b.HeadObject(bucket, key); err == nil {
		for name := range before.Metadata {
			if _, ok := meta[name]; !ok {
				meta[name] = ""
			}
		}
		_ = before.Contents.Close()
	}
	return b.Backend.PutObject(bucket, key, meta, input, size, conditions)
}

// CopyObject copies one.
func (b replacing) CopyObject(fromBucket, fromKey, bucket, key string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObject(b, fromBucket, fromKey, bucket, key, meta)
}
