// Package process runs the gateway as what it is in production: a program of its
// own, that can be killed.
package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/backends/s3"
	_ "sluice/cmd/sluice/demo" // with it everything the program is made of: a change there makes cached test results stale
	"sluice/gateway/admin"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// The client's keys, and the bucket's name, at every gateway of this package.
const (
	AccessKey = "CLIENTKEY"
	SecretKey = "client-secret"
	Bucket    = "media"
)

// Gateway is a running gateway.
type Gateway struct {
	Endpoint string
	Secure   string // the address of HTTPS; "" without

	binary, config, address string
	running                 *exec.Cmd
	log                     *os.File
}

// Start builds the program and starts it between two stores, with the migration from the
// one to the other begun. extra is further configuration.
func Start(t testing.TB, old, new Upstream, extra string) *Gateway {
	t.Helper()
	g := prepare(t, old, new, Bucket, AccessKey, SecretKey, extra)
	Mirroring(t, g.State(), Bucket)
	g.Restart(t)
	return g
}

// StartBefore is Start before the migration.
func StartBefore(t testing.TB, old, new Upstream, extra string) *Gateway {
	t.Helper()
	g := prepare(t, old, new, Bucket, AccessKey, SecretKey, extra)
	g.Restart(t)
	return g
}

// StartTLS is Start with a listener for HTTPS, too; extra has to say tls.
func StartTLS(t testing.TB, old, new Upstream, extra string) *Gateway {
	t.Helper()
	g := PrepareTLS(t, old, new, extra)
	g.Restart(t)
	return g
}

// PrepareTLS is StartTLS for who starts the program later, with Restart: by then its
// addresses are known.
func PrepareTLS(t testing.TB, old, new Upstream, extra string) *Gateway {
	t.Helper()
	g := prepare(t, old, new, Bucket, AccessKey, SecretKey, extra)
	g.Secure = freeAddress(t)
	raw, err := os.ReadFile(g.config)
	if err == nil {
		with := strings.Replace(string(raw), "listen: {", fmt.Sprintf("listen: { https: %q,", g.Secure), 1)
		err = os.WriteFile(g.config, []byte(with), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	Mirroring(t, g.State(), Bucket)
	return g
}

// Configure adds to the configuration, for the next start.
func (g *Gateway) Configure(t testing.TB, extra string) {
	t.Helper()
	f, err := os.OpenFile(g.config, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("\n" + extra)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Rewrite puts text in another's place in the configuration, for the next reload or start.
func (g *Gateway) Rewrite(t testing.TB, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(g.config)
	if err == nil && !strings.Contains(string(raw), from) {
		err = fmt.Errorf("the configuration has no %q", from)
	}
	if err == nil {
		err = os.WriteFile(g.config, []byte(strings.Replace(string(raw), from, to, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// StartWildcard is Start for a gateway that serves every bucket, under the same
// name on both stores. Clients sign with the old store's keys: to them the gateway
// is that store. The upstreams name no bucket.
func StartWildcard(t testing.TB, old, new Upstream, extra string) *Gateway {
	t.Helper()
	g := prepare(t, old, new, "*", old.AccessKey, old.SecretKey, extra)
	Mirroring(t, g.State(), "*")
	g.Restart(t)
	return g
}

// StartWildcardBefore is StartWildcard before the migration.
func StartWildcardBefore(t testing.TB, old, new Upstream, extra string) *Gateway {
	t.Helper()
	g := prepare(t, old, new, "*", old.AccessKey, old.SecretKey, extra)
	g.Restart(t)
	return g
}

func prepare(t testing.TB, old, new Upstream, bucket, accessKey, secretKey, extra string) *Gateway {
	t.Helper()
	g := place(t)
	upstream := func(u Upstream) string {
		return fmt.Sprintf("{ endpoint: %q, bucket: %q, access_key_id: %q, secret_access_key: %q, read_only: %t }",
			u.Endpoint, u.Bucket, u.AccessKey, u.SecretKey, u.ReadOnly)
	}
	config := fmt.Sprintf(`
state_dir: %q
listen: { http: %q }
stores:
  old: %s
  new: %s
buckets: { %q: { old: old, new: new } }
credentials: [ { access_key_id: %s, secret_access_key: %s } ]
%s`, g.State(), g.address, upstream(old), upstream(new), bucket, accessKey, secretKey, extra)
	if err := os.WriteFile(g.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// Init builds the program and has its init write the configuration; stdin answers what
// words do not. Restart starts the gateway.
func Init(t testing.TB, stdin string, words ...string) (g *Gateway, talk string) {
	t.Helper()
	g = place(t)
	words = append([]string{"init", "-o", g.config, "--state-dir", g.State(), "--endpoint", g.Endpoint}, words...)
	cmd := exec.Command(g.binary, words...)
	cmd.Stdin = strings.NewReader(stdin)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	raw, err := os.ReadFile(g.config)
	if err == nil { // tests run beside each other
		err = os.WriteFile(g.config, []byte(strings.Replace(string(raw), "127.0.0.1:9180", "127.0.0.1:0", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g, string(said)
}

// place is a gateway without a configuration.
func place(t testing.TB) *Gateway {
	t.Helper()
	g := &Gateway{binary: Program(t), address: freeAddress(t)}
	g.Endpoint = "http://" + g.address
	dir := t.TempDir()
	g.config = filepath.Join(dir, "sluice.yaml")
	var err error
	if g.log, err = os.Create(filepath.Join(dir, "gateway.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Kill(t)
		if t.Failed() {
			raw, _ := os.ReadFile(g.log.Name())
			t.Logf("the gateway's log:\n%s", raw[max(0, len(raw)-2<<10):])
		}
		g.log.Close()
	})
	return g
}

// Sluice runs the program with a command's words and the gateway's configuration, and
// answers what it printed and its exit code.
func (g *Gateway) Sluice(t testing.TB, words ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(g.binary, append(words, "-c", g.config)...)
	var out, talk strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &talk
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), talk.String(), cmd.ProcessState.ExitCode()
}

// Restart starts the program again with the state and the address it had.
func (g *Gateway) Restart(t testing.TB) {
	t.Helper()
	g.Begin(t)
	g.Await(t)
}

// Begin is Restart without the wait for the end of its start.
func (g *Gateway) Begin(t testing.TB) {
	t.Helper()
	g.running = exec.Command(g.binary, "serve", "-c", g.config)
	g.running.Stderr = g.log
	if err := g.running.Start(); err != nil {
		t.Fatal(err)
	}
}

// Await waits until the program listens.
func (g *Gateway) Await(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := errors.Join(answers("tcp", g.address), answers("unix", filepath.Join(g.State(), admin.SocketName)))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the gateway does not listen: %v", err)
		}
		pause(10 * time.Millisecond)
	}
}

func answers(network, address string) error {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// pause waits between two looks at a condition.
func pause(d time.Duration) { <-time.After(d) }

// Kill ends the program as kill -9 does.
func (g *Gateway) Kill(t testing.TB) {
	if g.running == nil {
		return
	}
	if err := g.running.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = g.running.Wait()
	g.running = nil
}

// Signal sends the program a signal.
func (g *Gateway) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := g.running.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Ended waits until the program has ended by itself, and answers how.
func (g *Gateway) Ended(t testing.TB, limit time.Duration) *os.ProcessState {
	t.Helper()
	running := g.running
	late := time.AfterFunc(limit, func() {
		t.Errorf("the gateway did not end within %v", limit)
		_ = running.Process.Kill()
	})
	defer late.Stop()
	_ = running.Wait()
	g.running = nil
	return running.ProcessState
}

// Log is what the program has said.
func (g *Gateway) Log(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile(g.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// PID is the program's process.
func (g *Gateway) PID() int { return g.running.Process.Pid }

// State is its state directory.
func (g *Gateway) State() string { return filepath.Join(filepath.Dir(g.config), "state") }

// PeakMemory is the most resident memory the program has used, in bytes.
func (g *Gateway) PeakMemory(t testing.TB) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.running.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM in /proc")
	return 0
}

// Operator asks the gateway as its operators do.
func (g *Gateway) Operator(t testing.TB) *admin.Client {
	c := admin.NewClient(filepath.Join(g.State(), admin.SocketName))
	t.Cleanup(c.Close)
	return c
}

// Mirroring records in a state directory that a bucket's migration was started, with an
// empty new store.
func Mirroring(t testing.TB, dir, bucket string) {
	t.Helper()
	err := os.MkdirAll(dir, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	state, err := migrate.OpenState(dir)
	if err == nil {
		err = state.SetPhase(bucket, mirror.Phase{Name: mirror.Mirroring, Epoch: 1, Baseline: true})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Client is a store that speaks to the gateway as an application would.
func (g *Gateway) Client(t testing.TB) *s3.Store {
	t.Helper()
	c, err := s3.New(t.Context(), s3.Config{
		Name: "gateway", Endpoint: g.Endpoint, Bucket: Bucket, Region: "us-east-1",
		AccessKeyID: AccessKey, SecretAccessKey: SecretKey, MaxConns: 256,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Eventually waits until what answers nil, and fails the test after limit, with
// the last error that is not of the limit itself.
func Eventually(t testing.TB, limit time.Duration, what func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var last error
	for {
		err := what(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if ctx.Err() != nil {
			t.Fatalf("not within %v: %v", limit, last)
		}
		pause(50 * time.Millisecond)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
