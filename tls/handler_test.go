package tls

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestPlainHTTP: who is sent to HTTPS, who is refused, and who is let through.
func TestPlainHTTP(t *testing.T) {
	o := filesOptions(t)
	writePair(t, o, "one.test")
	o.HTTP, o.HTTPS, o.Redirect, o.HSTS = ":80", ":443", true, time.Hour
	const passed, refused = http.StatusTeapot, http.StatusBadRequest
	for _, c := range []struct {
		request  string
		header   string
		http     string // where we listen
		https    string
		status   int
		location string
	}{
		{request: "GET http://one.test/a%20b?c=%2F", status: 301, location: "https://one.test/a%20b?c=%2F"},
		{request: "HEAD http://one.test/", status: 301, location: "https://one.test/"},
		{request: "GET http://one.test:80/", status: 301, location: "https://one.test/"},
		{request: "GET http://[::1]/", status: 301, location: "https://[::1]/"},
		{request: "GET http://one.test:8080/", http: ":8080", https: ":8443", status: 301, location: "https://one.test:8443/"},
		{request: "GET http://[::1]:8080/", http: ":8080", https: ":8443", status: 301, location: "https://[::1]:8443/"},
		{request: "GET http://one.test/", http: ":8080", https: ":8443", status: 301, location: "https://one.test/"}, // ports are mapped
		{request: "GET http://one.test/", https: ":8443", status: 301, location: "https://one.test:8443/"},

		{request: "GET http://one.test/", header: "Authorization: AWS4-HMAC-SHA256 x", status: refused},
		{request: "GET http://one.test/k?X-Amz-Signature=0", status: refused},
		{request: "HEAD http://one.test/k?AWSAccessKeyId=a&Signature=b&Expires=1", status: refused},
		{request: "PUT http://one.test/k", status: refused},
		{request: "POST http://one.test/k", status: refused},
		{request: "DELETE http://one.test/k", status: refused},
		{request: "OPTIONS http://one.test/k", status: refused},
		{request: "PUT http://one.test/.well-known/acme-challenge/x", status: refused},

		{request: "GET http://one.test/.well-known/acme-challenge/x", status: passed},
		{request: "HEAD http://one.test/.well-known/acme-challenge/x", status: passed},
	} {
		t.Run(c.request+c.header, func(t *testing.T) {
			o := o
			if c.http != "" {
				o.HTTP = c.http
			}
			if c.https != "" {
				o.HTTPS = c.https
			}
			answer := ask(t, o, c.request, c.header, false)
			if answer.Code != c.status || answer.Header().Get("Location") != c.location {
				t.Errorf("%d %q", answer.Code, answer.Header().Get("Location"))
			}
			if answer.Header().Get("Strict-Transport-Security") != "" {
				t.Error("HSTS by plain HTTP")
			}
		})
	}
	t.Run("https", func(t *testing.T) {
		answer := ask(t, o, "PUT https://one.test/k", "", true)
		if answer.Code != passed || answer.Header().Get("Strict-Transport-Security") != "max-age=3600" {
			t.Errorf("%d %v", answer.Code, answer.Header())
		}
	})
	t.Run("no redirect", func(t *testing.T) {
		o := o
		o.Redirect = false
		for _, request := range []string{"GET http://one.test/", "PUT http://one.test/k"} {
			if answer := ask(t, o, request, "Authorization: x", false); answer.Code != passed {
				t.Errorf("%s: %d", request, answer.Code)
			}
		}
	})
	t.Run("off", func(t *testing.T) {
		if answer := ask(t, Options{Mode: Off, Redirect: true, HSTS: time.Hour}, "GET http://one.test/", "", false); answer.Code != passed {
			t.Errorf("%d", answer.Code)
		}
	})
}

func ask(t *testing.T, o Options, request, header string, secure bool) *httptest.ResponseRecorder {
	t.Helper()
	k, err := Open(o)
	must(t, err)
	defer k.Close()
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := k.Handler(next, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	method, url, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, url, nil)
	if r.TLS = nil; secure {
		r.TLS = new(tls.ConnectionState)
	}
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestSuites: an old protocol, and a suite without forward secrecy, are not spoken.
func TestSuites(t *testing.T) {
	o := filesOptions(t)
	writePair(t, o, "one.test")
	_, _, https := serve(t, o)
	for _, c := range []*tls.Config{
		{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
	} {
		c.InsecureSkipVerify = true
		if conn, err := tls.Dial("tcp", https, c); err == nil {
			t.Errorf("version %x and suite %s are spoken", conn.ConnectionState().Version, tls.CipherSuiteName(conn.ConnectionState().CipherSuite))
			conn.Close()
		}
	}
}

// TestPlainOnTLSPort: who speaks HTTP to the HTTPS port gets no secrets and breaks nothing.
func TestPlainOnTLSPort(t *testing.T) {
	o := filesOptions(t)
	writePair(t, o, "one.test")
	_, _, https := serve(t, o)
	conn, err := net.Dial("tcp", https)
	must(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")
	if line, _ := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "400") {
		t.Errorf("%q", line)
	}
	if _, err := shake(https, "one.test", nil); err != nil {
		t.Error(err)
	}
}
