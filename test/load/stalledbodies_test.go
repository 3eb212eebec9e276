package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/test/process"
)

// TestClientsThatNeverSendTheirBodiesAreLetGo: who announces a body, without a
// signature, and sends none keeps a connection no longer than limits.client_timeout.
func TestClientsThatNeverSendTheirBodiesAreLetGo(t *testing.T) {
	t.Parallel()
	const clients = 400
	r := newRig(t, "limits: { client_timeout: 3s }")
	idle := r.use()
	var e ended
	for range clients {
		conn := r.dial()
		t.Cleanup(func() { conn.Close() })
		e.watch(conn)
		if _, err := io.WriteString(conn, "PUT /media/k HTTP/1.1\r\nHost: media\r\nContent-Length: 1000\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	r.serves()
	t.Logf("idle: %v; with %d of them: %v", idle, clients, r.use())
	process.Eventually(t, 15*time.Second, e.all(clients))
}

// TestStalledUploadsDoNotTakeAllSlots: uploads whose clients send no more do not keep
// everybody else out for ever.
func TestStalledUploadsDoNotTakeAllSlots(t *testing.T) {
	t.Parallel()
	const slots = 8
	r := newRig(t, fmt.Sprintf("limits: { requests: %d, client_timeout: 3s }", slots))
	stalled := 0
	c := newTraffic(r)
	process.Eventually(t, 10*time.Second, func(context.Context) error {
		if err := c.get("nothing"); !slowDown(err) {
			stalled++
			r.stall(fmt.Sprint("stalled/", stalled))
			return fmt.Errorf("%d stalled uploads, and not all slots are taken: %w", stalled, err)
		}
		return nil
	})
	process.Eventually(t, 15*time.Second, func(context.Context) error { return c.put("k", 10) })
}

// stall begins an upload that goes no further.
func (r *rig) stall(key string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPut, r.gateway.Endpoint+"/media/"+key, http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	req = signer.SignV4(*req, process.AccessKey, process.SecretKey, "", "us-east-1")
	conn := r.dial()
	r.t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 5000000\r\n", req.URL.Path, req.Host)
	if err == nil {
		err = req.Header.Write(conn)
	}
	if err == nil {
		_, err = io.WriteString(conn, "\r\nand no more")
	}
	if err != nil {
		r.t.Fatal(err)
	}
}
