package s3_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/backends/storetest"
	"sluice/test/servers"
)

func TestMinIO(t *testing.T) {
	server := servers.MinIO(t)
	storetest.Run(t, func(t *testing.T) backends.Store {
		return server.Store(t, "minio", strings.ToLower(rand.Text()))
	}, storetest.FileLikeKeys, storetest.AbortErrors, storetest.UploadPages)
}

func TestVersity(t *testing.T) {
	server := servers.Versity(t)
	storetest.Run(t, func(t *testing.T) backends.Store {
		return server.Store(t, "versity", strings.ToLower(rand.Text()))
	}, storetest.FileLikeKeys, storetest.LongKeys, storetest.UploadPages)
}
