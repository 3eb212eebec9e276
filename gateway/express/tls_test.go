package express

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pair is how a server of TLS shows itself, and how a client trusts it.
func pair() (server, client *tls.Config) {
	known := httptest.NewTLSServer(nil)
	known.Close()
	roots := x509.NewCertPool()
	roots.AddCert(known.Certificate())
	server = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: known.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	return server, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "example.com"}
}

// openTLS serves TLS.
func openTLS(t *testing.T, o Options) (*site, *tls.Config) {
	config, trust := pair()
	return open(t, o, func(l net.Listener) net.Listener { return tls.NewListener(l, config) }), trust
}

func TestHTTP1OverTLS(t *testing.T) {
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		s, trust := openTLS(t, Options{Header: time.Minute})
		trust.NextProtos = protocols
		conn := tls.Client(dial(t, s.Addr()), trust)
		in := bufio.NewReader(conn)
		send(t, conn, get("/held")+get("/large"))
		expect(t, in, "express")
		if _, body := expect(t, in, "express"); len(body) != len(held["/large"]) {
			t.Errorf("%d bytes", len(body))
		}
		send(t, conn, get("/absent"))
		header, _ := expect(t, in, "net/http")
		if want := "example.com " + strings.Join(protocols, ""); strings.TrimSpace(header.Get("X-Tls")) != strings.TrimSpace(want) {
			t.Errorf("the handler knows of TLS %q, not %q", header.Get("X-Tls"), want)
		}
		conn.Close()
	}
}

func TestHTTP2IsNetHTTPs(t *testing.T) {
	s, trust := openTLS(t, Options{})
	transport := &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr().String())
	}
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/held", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.ProtoMajor != 2 || answer.Header.Get("X-By") != "net/http" || answer.Header.Get("X-Tls") != "example.com h2" {
			t.Errorf("%s, %v", answer.Proto, answer.Header)
		}
	}
}

func TestPlainTextOnTLSIsToldSo(t *testing.T) {
	s, _ := openTLS(t, Options{})
	conn := dial(t, s.Addr())
	send(t, conn, get("/held"))
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(answer), "Client sent an HTTP request to an HTTPS server.\n") {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestAHandshakeHasItsTime(t *testing.T) {
	s, _ := openTLS(t, Options{Header: 50 * time.Millisecond})
	ends(t, bufio.NewReader(dial(t, s.Addr())))
}

func TestAHandshakeDoesNotDelayTheEnd(t *testing.T) {
	s, _ := openTLS(t, Options{Header: time.Hour})
	conn := dial(t, s.Addr())
	// The server is seen to have taken it: half a record's header.
	send(t, conn, "\x16\x03")
	second := dial(t, s.Addr()) // accepted after the first
	send(t, second, get("/held"))
	_, _ = io.ReadAll(second)
	s.end(t)
}

// The handshake's time is not that of what follows.
func TestNoDeadlineIsHandedOverToHTTP2(t *testing.T) {
	config, trust := pair()
	trust.NextProtos = []string{"h2"}
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		l := NewListener(tls.NewListener(p, config), Options{Find: find, Header: headerTime})
		defer l.Close()
		client, server := net.Pipe()
		go func() { p.conns <- server }()
		secure := tls.Client(client, trust)
		defer client.Close()
		if err := secure.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = secure.Read(make([]byte, 1)) }()
		handed, err := l.Accept()
		if _, ok := handed.(*tls.Conn); !ok || err != nil {
			t.Fatalf("%T, %v", handed, err)
		}
		time.Sleep(headerTime + time.Second)
		if _, err := handed.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	})
}
