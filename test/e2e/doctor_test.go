package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/admin"
	"sluice/gateway/doctor"
	"sluice/test/process"
	"sluice/test/servers"
)

// TestDoctorWithAndWithoutGateway: before the first start, while the gateway runs, and after
// its end the doctor tells the same of the stores; of the gateway itself, what can be known.
// While it runs it has the secrets, and its state directory is locked.
func TestDoctorWithAndWithoutGateway(t *testing.T) {
	server := servers.MinIO(t)
	buckets := []*s3.Store{server.Store(t, "old", "one"), server.Store(t, "new", "two")}
	g := process.StartBefore(t, process.Of(server, "one"), process.Of(server, "two"), "hosts: { s3.invalid: { serve: s3 } }\n")
	running := diagnose(t, g, 1, "") // s3.invalid has no address
	g.Kill(t)
	alone := diagnose(t, g, 1, "no gateway runs with this configuration")
	of := func(list []doctor.Check, kinds ...doctor.Kind) (rows []string) {
		for _, c := range list {
			if slices.Contains(kinds, c.Kind) && c.Name != "endpoint" { // which tells a time
				rows = append(rows, fmt.Sprintf("%s %s %s %s %s", c.Subject, c.Name, c.Result, c.Seen, c.Todo))
			}
		}
		return rows
	}
	kinds := []doctor.Kind{doctor.Store, doctor.Bucket, doctor.Host}
	if a, b := of(running, kinds...), of(alone, kinds...); len(a) < 30 || !slices.Equal(a, b) {
		t.Errorf("the running gateway tells\n%s\nand the command alone\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	for list, want := range map[string]string{
		strings.Join(of(running, doctor.Machine), "\n"): "gateway running ok it runs",
		strings.Join(of(alone, doctor.Machine), "\n"):   "gateway running warning no gateway runs",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("without %q:\n%s", want, list)
		}
	}
	for _, bucket := range buckets {
		for o, err := range backends.Walk(t.Context(), bucket, backends.ListRequest{}) {
			t.Errorf("%q stays on %s (%v)", o.Key, bucket.Name(), err)
		}
	}
}

// TestInterruptedDoctor: neither an operator who goes away nor the gateway's end leaves a
// canary in a store.
func TestInterruptedDoctor(t *testing.T) {
	server := servers.MinIO(t)
	c := settings(t, minioStore(t, server, "one"), minioStore(t, server, "two"))
	stores := make([]*s3.Store, 0, 2)
	for name, s := range c.Stores {
		store, err := s3.New(t.Context(), s.S3(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Close)
		stores = append(stores, store)
		s.Endpoint = slowToRemove(t, s.Endpoint)
		c.Stores[name] = s
	}
	canaries := func(ctx context.Context) error {
		for _, s := range stores {
			for o, err := range backends.Walk(ctx, s, backends.ListRequest{Prefix: backends.CanaryPrefix}) {
				return fmt.Errorf("%q stays on %s (%v)", o.Key, s.Name(), err)
			}
		}
		return nil
	}
	r := startRig(t, c)
	interrupted := func(interrupt func()) error {
		client := admin.NewClient(filepath.Join(c.StateDir, admin.SocketName))
		defer client.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		return client.Doctor(ctx, doctor.Order{}, func(c doctor.Check) {
			if c.Name == "put" {
				if interrupt == nil {
					cancel()
				} else {
					interrupt()
				}
			}
		})
	}
	if err := interrupted(nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an operator who goes away: %v", err)
	}
	eventually(t, canaries)
	if err := interrupted(func() { r.end(t) }); err == nil {
		t.Error("what the gateway's end interrupted is told as whole")
	}
	if err := canaries(t.Context()); err != nil {
		t.Error(err)
	}
}

// slowToRemove is in front of a store, and takes its time for removals.
func slowToRemove(t *testing.T, endpoint string) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	store := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			time.Sleep(500 * time.Millisecond)
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// diagnose runs the doctor, and holds what it says against the secrets.
func diagnose(t *testing.T, g *process.Gateway, code int, talk string) (found []doctor.Check) {
	t.Helper()
	out, talked, got := g.Sluice(t, "doctor", "-o", "json")
	if err := json.Unmarshal([]byte(out), &found); err != nil || got != code || !strings.Contains(talked, talk) {
		t.Fatalf("exit code %d, %v, %q:\n%s", got, err, talked, out)
	}
	for _, secret := range []string{process.SecretKey, "minio-secret"} {
		if strings.Contains(out+talked, secret) {
			t.Errorf("the secret %q is told", secret)
		}
	}
	return found
}
