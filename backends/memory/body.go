package memory

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"sluice/backends"
)

// body is an open object's content. As with a store behind a connection it can be read
// only as long as the call's context lasts.
type body struct {
	ctx  context.Context
	left *bytes.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.left.Read(p)
}

func (b *body) Close() error { return nil }

// payload is a body that was read to its end and is what the request said it would be.
type payload struct {
	content []byte
	md5     [md5.Size]byte
	sum     checksum // as the request stated it, or none
}

func (p payload) etag() string { return hex.EncodeToString(p.md5[:]) }

// receive reads and verifies the body of a Put, or of a part in the shape of one.
func (c call) receive(ctx context.Context, r backends.PutRequest) (payload, error) {
	content, err := c.readBody(ctx, r.Body, r.Size)
	if err != nil {
		return payload{}, err
	}
	p := payload{content: content, md5: md5.Sum(content)}
	if r.ContentMD5 != "" {
		want, err := base64.StdEncoding.DecodeString(r.ContentMD5)
		switch {
		case err != nil || len(want) != md5.Size:
			return payload{}, c.refuse("InvalidDigest")
		case !bytes.Equal(want, p.md5[:]):
			return payload{}, c.refuse("BadDigest")
		}
	}
	if hash := sha256.Sum256(content); r.SHA256 != "" && r.SHA256 != hex.EncodeToString(hash[:]) {
		return payload{}, c.refuse("XAmzContentSHA256Mismatch")
	}
	p.sum, err = c.stated(r.Header, r.Trailer)
	if err == nil {
		err = c.verify(p.sum, content)
	}
	return p, err
}

// readBody reads a body that must hold size bytes. One that waits for its client when
// ctx ends is ended by closing it; nothing else of the store ever runs beside a call.
func (c call) readBody(ctx context.Context, body io.Reader, size int64) ([]byte, error) {
	if err := c.ended(ctx); err != nil {
		return nil, err
	}
	if body == nil {
		body = bytes.NewReader(nil)
	}
	if closer, ok := body.(io.Closer); ok {
		defer context.AfterFunc(ctx, func() { _ = closer.Close() })()
	}
	content, err := io.ReadAll(io.LimitReader(body, size+1))
	switch n := int64(len(content)); {
	case err != nil && ctx.Err() != nil:
		return nil, c.unanswered(fmt.Errorf("%w: %w", context.Cause(ctx), err))
	case err != nil:
		return nil, c.unanswered(err)
	case n < size:
		no := c.refuse("IncompleteBody")
		no.Err = fmt.Errorf("the body ended %d bytes early: %w", size-n, io.ErrUnexpectedEOF)
		return nil, no
	case n > size:
		no := c.refuse("IncompleteBody")
		no.Err = fmt.Errorf("the body is longer than %d bytes", size)
		return nil, no
	}
	return content, nil
}
