package s3api

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/gateway/sigv4"
)

// TestVersion2CoversWhatSelectsAnOperation: a signature by version 2 covers the
// query keys of a list alone. Whatever makes another operation of a request must be
// in it, or who sees a signed request could send that operation in its place.
func TestVersion2CoversWhatSelectsAnOperation(t *testing.T) {
	v := &sigv4.Verifier{Version2: true, Key: func(string) (sigv4.Key, bool) { return sigv4.Key{Secret: "secret"}, true }}
	selecting := maps.Clone(bucketOperations)
	maps.Copy(selecting, objectOperations)
	for key := range selecting {
		if key == "" || key == "list-type" { // which clients do not sign
			continue
		}
		r := signer.SignV2(*httptest.NewRequest(http.MethodPut, "/bucket/key", nil), "id", "secret", false)
		if _, err := v.Verify(r); err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = key
		var refused *sigv4.Error
		if _, err := v.Verify(r); !errors.As(err, &refused) || refused.Code != "SignatureDoesNotMatch" {
			t.Errorf("%s can be added to a signed request: %v", key, err)
		}
	}
}
