package s3api

import (
	"cmp"
	"io"
	"net/http"
	"time"

	"sluice/backends"
)

// completePatience is how long the answer to CompleteMultipartUpload stays open
// to any status, and then the time between signs of life. Clients that give up
// after 5 s without a byte are common (Mastodon's is one).
const completePatience = 2 * time.Second

// WriteComplete runs complete and answers CompleteMultipartUpload with its
// result. When it takes long the answer begins before the result is known, as in
// S3: 200, the XML declaration, then white space now and then. What comes last is
// the result, or an <Error> in the body of that 200; the headers of a late result
// are lost. r is the HTTP request that req was parsed from.
func WriteComplete(
	w http.ResponseWriter, r *http.Request, req *Request, requestID string,
	complete func() (*backends.PutResult, error),
) {
	beat := startHeartbeat(w)
	defer beat.stop() // complete may panic
	result, err := complete()
	begun := beat.stop()

	resource := r.URL.EscapedPath()
	switch {
	case err != nil && !begun:
		WriteError(w, r, err, resource, requestID)
		return
	case err != nil:
		doc := new(document)
		doc.error(FromError(err), resource, requestID)
		_, _ = w.Write(doc.buf.Bytes())
		return
	}
	doc := new(document)
	if !begun {
		setAll(w.Header(), result.Header)
		doc = newDocument()
	}
	doc.root("CompleteMultipartUploadResult")
	doc.text("Location", location(r))
	doc.text("Bucket", req.Bucket)
	doc.echo("Key", req.Key)
	doc.etag(result.ETag)
	doc.checksums(result.Header)
	doc.close("CompleteMultipartUploadResult")
	if begun {
		_, _ = w.Write(doc.buf.Bytes())
		return
	}
	doc.send(w, http.StatusOK)
}

// location is the object's address as this client reaches it, by the URL's scheme.
func location(r *http.Request) string {
	return cmp.Or(r.URL.Scheme, "http") + "://" + r.Host + r.URL.EscapedPath()
}

// heartbeat writes white space to an answer while its result is awaited. It alone
// uses the writer until stop has returned.
type heartbeat struct {
	quit  chan struct{} // closed by stop
	done  chan struct{} // closed by run
	begun bool          // the answer's head is out; owned by run until done
}

func startHeartbeat(w http.ResponseWriter) *heartbeat {
	b := &heartbeat{quit: make(chan struct{}), done: make(chan struct{})}
	go b.run(w)
	return b
}

func (b *heartbeat) run(w http.ResponseWriter) {
	defer close(b.done)
	ticker := time.NewTicker(completePatience)
	defer ticker.Stop()
	flusher := http.NewResponseController(w)
	for {
		select {
		case <-b.quit:
			return
		case <-ticker.C:
		}
		sign := " "
		if !b.begun {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusOK)
			b.begun, sign = true, xmlDeclaration
		}
		if _, err := io.WriteString(w, sign); err != nil {
			return // the client is gone; the operation goes on without it
		}
		_ = flusher.Flush() // without a Flusher the client waits for the end
	}
}

// stop ends the heartbeat and tells whether the answer has begun. It may be
// called again.
func (b *heartbeat) stop() bool {
	select {
	case <-b.quit:
	default:
		close(b.quit)
	}
	<-b.done
	return b.begun
}
