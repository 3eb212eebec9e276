package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/events"
	"sluice/gateway/trace"
	"sluice/test/process"
)

// secretive is a configuration in which every secret there can be begins with "hush".
const secretive = `
state_dir: %q
listen: { http: "localhost:0", https: "127.0.0.1:00", admin: "127.0.0.1:0" }
tls:
  mode: auto
  redirect: false
  email: admin@example.com
  acme: { directory: "https://127.0.0.1:1/dir", eab: { key_id: kid, key: aHVzaC1lYWIta2V5 } }
  dns: { provider: cloudflare, api_token: hush-dns-token }
stores:
  old: { endpoint: %q, bucket: bucket, access_key_id: any, secret_access_key: hush-old-secret, session_token: hush-old-session }
  new: { endpoint: %q, bucket: bucket, access_key_id: any, secret_access_key_file: %q }
  rude: { endpoint: %q, bucket: bucket, region: us-east-1, access_key_id: any, secret_access_key: hush-rude-secret, session_token: hush-rude-session }
buckets:
  media: { old: old, new: new }
  rude: { old: rude }
hosts:
  s3.test: { serve: s3 }
  files.test: { serve: public, bucket: media, purge: { secret: hush-purge } }
  rude.test: { serve: public, bucket: rude }
credentials:
  - { access_key_id: APP, secret_access_key: hush-app-secret }
  - { access_key_id: TEMP, secret_access_key: hush-temp-secret, session_token: hush-app-session }
notify:
  urls: [ "generic+%s/hush-topic", "generic+http://hush-user:hush-password@127.0.0.1:1/hush-path?token=hush-query", "signed+http://127.0.0.1:1/hush-signed" ]
  webhook_secret: hush-webhook
  heartbeat: { url: "http://127.0.0.1:1/hush-heart", every: 1s }
migration: { mirror: { quarantine: 100ms } }
log: { level: debug, access: true }
`

// rudeStore refuses everything, and quotes what it was sent, as S3 does.
func rudeStore(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><StringToSign>%s</StringToSign><SignatureProvided>%s</SignatureProvided><Token>%s</Token></Error>",
			r.URL, r.Header.Get("Authorization"), r.Header.Get("X-Amz-Security-Token"))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// outputs are all that the gateway and its commands ever said, by who said it.
type outputs struct {
	mu   sync.Mutex
	text map[string]string
}

func (o *outputs) add(name, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text[name] += text + "\n"
}

// signatures are what a request carries that nobody else may see.
var signatures = regexp.MustCompile(`(?:Signature=|AWS \w+:)([^&, ]+)`)

// TestNoSecretIsTold: whatever is asked, by whom, and whatever fails, no secret of the
// configuration, no signature, no token and no policy of a request is in the log, in what
// operators are shown, or in a message to them. What a client is answered holds none but its
// own signature, which S3 shows, too.
func TestNoSecretIsTold(t *testing.T) {
	first, second, _ := twoServers(t)
	box := newInbox(t)
	dir := t.TempDir()
	secretFile := filepath.Join(dir, "secret")
	if err := os.WriteFile(secretFile, []byte("hush-new-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sluice.yaml")
	text := fmt.Sprintf(secretive, filepath.Join(dir, "state"), first.Endpoint(), second.Endpoint(), secretFile, rudeStore(t), box.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	r := startRig(t, c)
	said := &outputs{text: make(map[string]string)}
	secrets := []string{"hush", "aHVzaC"} // the second: base64 of the first
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var looking sync.WaitGroup
	desk := r.desk(t)
	looking.Go(func() {
		_ = desk.Trace(ctx, trace.Filter{}, func(record trace.Record) error {
			said.add("trace", fmt.Sprintf("%+v", record))
			return nil
		}, func(int64) error { return nil })
	})
	looking.Go(func() {
		_ = desk.Events(ctx, "", true, func(e events.Event) error { said.add("events followed", fmt.Sprintf("%+v", e)); return nil })
	})

	secrets = append(secrets, r.provoke(t, said)...)
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, r.provoke(t, said)...)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, r.provoke(t, said)...)

	token, err := os.ReadFile(filepath.Join(c.StateDir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, string(token))
	r.askOperators(t, said, string(token))
	r.runCommands(t, said, file)
	eventually(t, func(context.Context) error { // an outage is told after a while
		if !box.has("POST ", "does not answer") {
			return fmt.Errorf("nobody was told")
		}
		return nil
	})
	stop()
	looking.Wait()
	audit, err := os.ReadFile(filepath.Join(c.StateDir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	said.add("audit log", string(audit))
	for _, message := range box.got {
		_, body, _ := strings.Cut(message, "/hush-topic ") // where the message goes is no part of it
		said.add("message", body)
	}
	r.log.mu.Lock()
	said.add("log", r.log.text.String())
	r.log.mu.Unlock()
	for _, name := range []string{"log", "trace", "events followed", "message", "audit log", "/metrics", "status -o json", "object -o json k"} {
		if len(said.text[name]) < 20 {
			t.Errorf("%s said nothing: the test has not looked: %q", name, said.text[name])
		}
	}
	for name, text := range said.text {
		if secret, at := told(text, secrets); secret != "" {
			t.Errorf("%s told %q: …%.300s…", name, secret, text[max(0, at-200):])
		}
	}
}

// told finds the first secret that is told in a text.
func told(text string, secrets []string) (secret string, at int) {
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			if at := strings.Index(text, form); at >= 0 {
				return secret, at
			}
		}
	}
	return "", 0
}

// provoke sends everything that carries a secret, right and wrong, and answers the secrets
// that are not in the configuration.
func (r *rig) provoke(t *testing.T, said *outputs) (secrets []string) {
	send := func(name string, req *http.Request) {
		t.Helper()
		carried := []string{}
		for _, in := range []string{req.Header.Get("Authorization"), req.URL.RawQuery} {
			for _, m := range signatures.FindAllStringSubmatch(in, -1) {
				decoded, _ := url.QueryUnescape(m[1])
				carried = append(carried, m[1], decoded)
			}
		}
		got := read(t, http.DefaultClient, req)
		secrets = append(secrets, carried...)
		text := got.String()
		for _, own := range carried {
			text = strings.ReplaceAll(text, own, "[its own]")
		}
		said.add("answer to "+name, text)
	}
	request := func(method, path, body string, header ...string) *http.Request {
		req := r.request(t, ask{method: method, path: path, body: body, unsigned: true})
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return req
	}
	sign := func(req *http.Request, key, secret, token string) *http.Request {
		return signer.SignV4(*req, key, secret, token, "us-east-1")
	}
	presign := func(req *http.Request, secret string, expires int64) *http.Request {
		req.Header = http.Header{}
		return signer.PreSignV4(*req, "APP", secret, "", "us-east-1", expires)
	}
	good := func(name, method, path string, header ...string) {
		send(name, sign(request(method, path, "content", header...), "APP", "hush-app-secret", ""))
	}
	good("put", "PUT", "/media/k")
	good("get", "GET", "/media/k")
	good("delete", "DELETE", "/media/gone")
	good("list", "GET", "/media?prefix=a&list-type=2")
	good("rude get", "GET", "/rude/k")
	good("rude put", "PUT", "/rude/k")
	good("rude list", "GET", "/rude")
	good("sse-c", "PUT", "/media/sse", "X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256",
		"X-Amz-Server-Side-Encryption-Customer-Key", base64.StdEncoding.EncodeToString([]byte("hush-customer-key-of-32-bytes-xx")),
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5", "aHVzaA==")
	send("session", sign(request("GET", "/media/k", ""), "TEMP", "hush-temp-secret", "hush-app-session"))
	send("wrong session", sign(request("GET", "/media/k", ""), "TEMP", "hush-temp-secret", "hush-no-session"))
	send("wrong secret", sign(request("GET", "/media/k", ""), "APP", "wrong", ""))
	send("presigned", presign(request("GET", "/media/k", ""), "hush-app-secret", 60))
	send("presigned wrong", presign(request("GET", "/media/k", ""), "wrong", 60))
	send("presigned too long", presign(request("GET", "/media/k", ""), "hush-app-secret", 6_000_000))
	for i, authorization := range []string{
		"AWS4-HMAC-SHA256 hush", "AWS4-HMAC-SHA256 Credential=hush, SignedHeaders=host, Signature=hush", "AWS APP:hush", "AWS hush",
		"Bearer hush", "Basic aHVzaDpodXNo", "AWS4-HMAC-SHA256 Credential=APP/20260101/us-east-1/s3/aws4_request,SignedHeaders=hush,Signature=hush",
	} {
		req := request("GET", "/media/k", "", "Authorization", authorization, "X-Amz-Security-Token", "hush")
		got := read(t, http.DefaultClient, req)
		said.add(fmt.Sprintf("answer to authorization %d", i), fmt.Sprint(got.status))
	}
	for _, query := range []string{
		"AWSAccessKeyId=APP&Expires=4000000000&Signature=hush", "AWSAccessKeyId=APP&Signature=hush&Expires=never",
		"X-Amz-Signature=hush", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=APP&X-Amz-Date=never&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=hush&X-Amz-Security-Token=hush",
	} {
		read(t, http.DefaultClient, request("GET", "/media/k?"+query, ""))
		public := request("GET", "/k?"+query, "", "Authorization", "Bearer hush", "Cookie", "hush=hush")
		public.Host = "files.test"
		read(t, http.DefaultClient, public)
	}
	for _, secret := range []string{"hush-purge", "hush-wrong-purge"} {
		purge := request("PURGE", "/k", "", "Secret-Header", secret)
		purge.Host = "files.test"
		send("purge", purge)
	}
	rude := request("GET", "/k", "")
	rude.Host = "rude.test"
	send("public, of a rude store", rude)

	f := r.formOf(t, "APP", "hush-app-secret", "posted", "content", nil)
	secrets = append(secrets, f.fields["policy"], f.fields["x-amz-signature"])
	said.add("answer to a form", strings.ReplaceAll(r.post(t, f).String(), f.fields["x-amz-signature"], "[its own]"))
	f = r.formOf(t, "APP", "wrong", "posted", "content", nil)
	secrets = append(secrets, f.fields["policy"], f.fields["x-amz-signature"])
	r.post(t, f) // whose answer shows what it signed, as S3's
	return secrets
}

// askOperators asks for all that the admin API has, with the token and with a wrong one.
func (r *rig) askOperators(t *testing.T, said *outputs, token string) {
	t.Helper()
	address := "http://" + r.log.find(t, `operators are served" address=(\S+)`)
	socket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.config.StateDir, admin.SocketName))
	}}}
	defer socket.CloseIdleConnections()
	for _, what := range []string{
		"GET /v1/buckets", "GET /v1/throttle", "GET /v1/cache", "GET /metrics", "GET /livez", "GET /readyz", "GET /v1/certificates",
		"GET /v1/conditions", "POST /v1/doctor", "POST /v1/notify/test", "GET /v1/events?follow=false",
		"GET /v1/buckets/media/object?key=k", "GET /v1/buckets/rude/object?key=k", "POST /v1/buckets/media/switch", "POST /v1/buckets/media/verify",
		"GET /v1/buckets/media/verify/findings", "GET /v1/nothing",
	} {
		method, path, _ := strings.Cut(what, " ")
		for _, with := range []string{token, "hush-wrong-token", ""} {
			base, client := address, http.DefaultClient
			if with == "" {
				base, client = "http://gateway", socket
			}
			req, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+with)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			said.add(path, fmt.Sprint(resp.Status, resp.Header, string(body)))
		}
	}
}

// runCommands runs the program's commands, in words and as JSON.
func (r *rig) runCommands(t *testing.T, said *outputs, file string) {
	t.Helper()
	for _, command := range []string{
		"config show", "config validate", "status", "status -o json", "doctor", "doctor -o json", "certs", "certs -o json", "cache",
		"throttle", "throttle -o json", "events", "events -o json", "object k --bucket media", "object -o json k --bucket media",
		"object k --bucket rude", "notify test", "notify test -o json", "verify findings media", "switch media --dry-run", "switch media", "version",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, process.Program(t), append(strings.Fields(command), "-c", file)...)
		out, _ := cmd.CombinedOutput() // many of them fail here
		cancel()
		said.add(strings.TrimSuffix(command, " --bucket media"), string(out))
	}
}
