package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"sluice/gateway/sigv4"
)

// keepAliveInterval is below the 5 s without a byte after which Mastodon's client
// gives an upload up.
const keepAliveInterval = 2 * time.Second

// aliveBody is a request's body that, once it was read to its end, keeps the
// client from giving up while a slow store makes it wait: an interim "100
// Continue" every two seconds (RFC 9110, section 15.2.1, lets a server send any
// number of them). It is 100 and not 102 because Python's http.client takes any
// other interim answer for the final one.
type aliveBody struct {
	*sigv4.Body
	w    http.ResponseWriter
	r    *http.Request
	once sync.Once
	quit chan struct{}
	done chan struct{} // nil until begin
}

func keepAlive(w http.ResponseWriter, r *http.Request, body *sigv4.Body) *aliveBody {
	return &aliveBody{Body: body, w: w, r: r, quit: make(chan struct{})}
}

// Read begins the interim answers at the body's end: before, net/http itself may
// be writing its "100 Continue".
func (b *aliveBody) Read(p []byte) (int, error) {
	n, err := b.Body.Read(p)
	if errors.Is(err, io.EOF) {
		b.begin()
	}
	return n, err
}

func (b *aliveBody) begin() {
	if !b.r.ProtoAtLeast(1, 1) || b.done != nil {
		return // HTTP/1.0 knows no interim answers
	}
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		ticker := time.NewTicker(keepAliveInterval)
		defer ticker.Stop()
		for {
			select {
			case <-b.quit:
				return
			case <-ticker.C:
				b.w.WriteHeader(http.StatusContinue)
			}
		}
	}()
}

// stop ends them, before the final answer is written.
func (b *aliveBody) stop() {
	b.once.Do(func() { close(b.quit) })
	if b.done != nil {
		<-b.done
	}
}
