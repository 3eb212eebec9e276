package tls

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writePair writes a certificate for a name, signed by itself, and its key.
func writePair(t *testing.T, o Options, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(49 * time.Hour), DNSNames: []string{name}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(o.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	must(t, os.WriteFile(o.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

func filesOptions(t *testing.T) Options {
	dir := t.TempDir()
	return Options{Mode: Files, CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
}

// serve opens a keeper and serves with it at ports of its own.
func serve(t *testing.T, o Options) (k *Keeper, http, https string) {
	t.Helper()
	o.HTTP, o.HTTPS = freeAddress(t), freeAddress(t)
	k, err := Open(o)
	must(t, err)
	serveWith(t, k)
	return k, o.HTTP, o.HTTPS
}

func serveWith(t *testing.T, k *Keeper) {
	t.Helper()
	listeners, err := Listen(t.Context(), k.o.Load().HTTP, k.o.Load().HTTPS, k.Config())
	must(t, err)
	server := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Handler: k.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
	})}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	for _, l := range listeners {
		running.Go(func() { _ = server.Serve(l) })
	}
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		running.Wait()
		k.Close()
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// shake answers what is shown to who asks for a name; nobody is trusted without roots.
func shake(address, name string, roots *x509.CertPool) (tls.ConnectionState, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{
		ServerName: name, RootCAs: roots, InsecureSkipVerify: roots == nil, NextProtos: []string{"h2", "http/1.1"},
	})
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// eventually waits until what holds.
func eventually(t *testing.T, what func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		_ = pause(t.Context(), 20*time.Millisecond)
	}
}
