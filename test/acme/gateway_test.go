package acme

import (
	"bytes"
	"context"
	stdtls "crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

// program starts the program with certificates from a CA, and stores in this process.
func program(t *testing.T, names string) (*process.Gateway, *authority) {
	t.Helper()
	_, _, old := process.Embedded(t, "old")
	_, _, new := process.Embedded(t, "new")
	g := process.PrepareTLS(t, old, new, "")
	ca := newCA(t, port(t, strings.TrimPrefix(g.Endpoint, "http://")), port(t, g.Secure), policy{})
	g.Configure(t, fmt.Sprintf(`
tls: { mode: auto, email: admin@sluice.test, acme: { directory: %q, ca_file: %q }, hsts: 1h }
hosts: %s
`, ca.directory, ca.trust, names))
	return g, ca
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, word, err := net.SplitHostPort(address)
	must(t, err)
	number, err := strconv.Atoi(word)
	must(t, err)
	return number
}

// client speaks HTTPS with the gateway, whatever the name.
func client(t *testing.T, g *process.Gateway, ca *authority) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &stdtls.Config{RootCAs: ca.roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", g.Secure)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// TestProgramServesWithinFiveSeconds: of its first start, over HTTP/2; the operator sees it.
func TestProgramServesWithinFiveSeconds(t *testing.T) {
	g, ca := program(t, "{ s3p.sluice.test: { serve: s3 }, files.sluice.test: { serve: public, bucket: media } }")
	began := time.Now()
	g.Restart(t)
	c := client(t, g, ca)
	for _, name := range []string{"s3p.sluice.test", "files.sluice.test", "media.s3p.sluice.test"} {
		process.Eventually(t, limit, func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+name+"/", nil)
			must(t, err)
			resp, err := c.Do(r)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") != "max-age=3600" {
				t.Errorf("%s, Strict-Transport-Security %q", resp.Proto, resp.Header.Get("Strict-Transport-Security"))
			}
			return nil
		})
	}
	if took := time.Since(began); took > limit {
		t.Errorf("certificates were served after %v", took)
	}
	out, talk, code := g.Sluice(t, "certs")
	if code != 0 || strings.Count(out, "Pebble") != 3 {
		t.Errorf("certs ends with %d:\n%s%s", code, out, talk)
	}
	if out, _, _ := g.Sluice(t, "status"); strings.Contains(out, "GATEWAY") {
		t.Errorf("status has something to tell:\n%s", out)
	}
	// sluice.test has no address outside of the tests.
	if out, _, code := g.Sluice(t, "doctor"); code != 1 || !strings.Contains(out, "give it A or AAAA records") && !strings.Contains(out, "the DNS could not be asked") {
		t.Errorf("doctor ends with %d:\n%s", code, out)
	}
}

// TestProgramWithoutCA: S3 by plain HTTP is refused in S3's words while a redirect is asked
// for, the program runs without its CA, and says what is wrong.
func TestProgramWithoutCA(t *testing.T) {
	g, ca := program(t, "{ s3q.sluice.test: { serve: s3 } }")
	ca.down()
	g.Restart(t)
	process.Eventually(t, limit, func(context.Context) error {
		out, talk, code := g.Sluice(t, "status")
		if code != 0 || !strings.Contains(out, "GATEWAY") || !strings.Contains(out, "s3q.sluice.test: the CA can not be reached") {
			return fmt.Errorf("status ends with %d:\n%s%s", code, out, talk)
		}
		return nil
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, g.Endpoint+"/media/key", strings.NewReader("x"))
	must(t, err)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusBadRequest || !bytes.Contains(body, []byte("<Code>InvalidRequest</Code>")) || !bytes.Contains(body, []byte("https://")) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestAWSCommandLine: the AWS CLI works over HTTPS with the CA's root.
func TestAWSCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		stage.Missing(t, "the aws CLI", "apt-get install awscli")
	}
	g, ca := program(t, "{ localhost: { serve: s3 } }") // the one name that a client finds without our DNS
	g.Restart(t)
	c := client(t, g, ca)
	process.Eventually(t, limit, func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://localhost/", nil)
		must(t, err)
		resp, err := c.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		return err
	})
	home := t.TempDir()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // in parts
	must(t, os.WriteFile(filepath.Join(home, "large"), content, 0o600))
	aws := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "aws", append([]string{
			"--endpoint-url", fmt.Sprintf("https://localhost:%d", port(t, g.Secure)), "--ca-bundle", ca.rootFile, "s3",
		}, args...)...)
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "AWS_CONFIG_FILE=" + filepath.Join(home, "config"),
			"AWS_ACCESS_KEY_ID=" + process.AccessKey, "AWS_SECRET_ACCESS_KEY=" + process.SecretKey, "AWS_DEFAULT_REGION=us-east-1",
			"AWS_EC2_METADATA_DISABLED=true", "PYENV_ROOT=" + os.Getenv("PYENV_ROOT"),
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws s3 %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	const url = "s3://" + process.Bucket + "/large"
	aws("cp", "--quiet", filepath.Join(home, "large"), url)
	if out := aws("ls", url); !strings.Contains(out, strconv.Itoa(len(content))) {
		t.Errorf("listed: %s", out)
	}
	aws("cp", "--quiet", url, filepath.Join(home, "back"))
	if back, err := os.ReadFile(filepath.Join(home, "back")); err != nil || !bytes.Equal(back, content) {
		t.Errorf("%d bytes came back, %v", len(back), err)
	}
}
