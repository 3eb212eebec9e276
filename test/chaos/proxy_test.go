package chaos

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands before a real store and makes a part of the requests fail in the ways
// in which networks and stores fail.
type proxy struct {
	upstream string
	http     *httptest.Server
	faults   atomic.Int64 // percent
	injected atomic.Int64
	late     sync.WaitGroup // requests that go on without their client

	mu     sync.Mutex
	random *rand.Rand
}

// lateness bounds how long a request may go on after its client was cut off. The
// gateway's quarantine is longer.
const lateness = 300 * time.Millisecond

func startProxy(t *testing.T, upstream string, seed uint64) *proxy {
	p := &proxy{upstream: upstream, random: rand.New(rand.NewPCG(seed, 7))}
	p.http = httptest.NewServer(p)
	t.Cleanup(func() { p.http.Close(); p.late.Wait() })
	return p
}

func (p *proxy) dice(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(n)
}

// ServeHTTP passes a request on, or makes it fail.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the gateway gave the request up before its end
	}
	if p.dice(100) >= int(p.faults.Load()) {
		p.pass(w, r, body)
		return
	}
	p.injected.Add(1)
	switch p.dice(6) {
	case 0: // refused
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")
	case 1: // an error before, from whoever
		w.WriteHeader(http.StatusBadGateway)
	case 2: // it takes effect, and nobody hears of it
		p.pass(httptest.NewRecorder(), r, body)
		panic(http.ErrAbortHandler)
	case 3: // the connection breaks, the request goes on
		p.late.Go(func() {
			<-time.After(time.Duration(p.dice(int(lateness))))
			p.pass(httptest.NewRecorder(), r, body)
		})
		panic(http.ErrAbortHandler)
	case 4: // slow
		<-time.After(time.Duration(p.dice(int(lateness))))
		p.pass(w, r, body)
	case 5: // the answer is cut short
		p.pass(&shortWriter{ResponseWriter: w}, r, body)
		panic(http.ErrAbortHandler)
	}
}

// pass sends the request to the store, whole, whoever still waits for it.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request, body []byte) {
	out, err := http.NewRequest(r.Method, p.upstream+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	out.Header = r.Header.Clone()
	out.Host = r.Host // it is signed
	out.URL.RawPath, out.URL.RawQuery = r.URL.RawPath, r.URL.RawQuery
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// shortWriter passes on half of what is written.
type shortWriter struct{ http.ResponseWriter }

func (s *shortWriter) Write(p []byte) (int, error) {
	_, _ = s.ResponseWriter.Write(p[:len(p)/2])
	return len(p), nil
}
