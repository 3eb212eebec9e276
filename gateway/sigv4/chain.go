package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
)

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// chunkSigner checks a chain of signatures: each covers the one before it, so
// that chunks can be neither dropped, nor repeated, nor swapped. A nil one has
// nothing to check.
type chunkSigner struct {
	accessKeyID string
	key         []byte
	scope       string    // the second and third line of what is signed
	previous    string    // the chain's last good signature
	given       string    // the open chunk's
	hash        hash.Hash // of the open chunk
}

func newChunkSigner(id *Identity) *chunkSigner {
	return &chunkSigner{
		accessKeyID: id.AccessKeyID, key: id.key, scope: id.date + "\n" + id.scope,
		previous: id.signature, hash: sha256.New(),
	}
}

// begin starts a chunk with the extension that its header carries.
func (s *chunkSigner) begin(extension string) error {
	if s == nil {
		return nil
	}
	given, ok := strings.CutPrefix(extension, "chunk-signature=")
	if !ok {
		return malformedChunk()
	}
	s.given = given
	s.hash.Reset()
	return nil
}

func (s *chunkSigner) write(p []byte) {
	if s != nil {
		s.hash.Write(p)
	}
}

// end checks the chunk's signature.
func (s *chunkSigner) end() error {
	if s == nil {
		return nil
	}
	return s.check("AWS4-HMAC-SHA256-PAYLOAD\n"+s.scope+"\n"+s.previous+"\n"+
		emptySHA256+"\n"+hex.EncodeToString(s.hash.Sum(nil)), s.given)
}

// endTrailer checks the signature of the trailers, which is the chain's last.
func (s *chunkSigner) endTrailer(text, given string) error {
	if s == nil {
		return nil
	}
	return s.check("AWS4-HMAC-SHA256-TRAILER\n"+s.scope+"\n"+s.previous+"\n"+hexSHA256([]byte(text)), given)
}

func (s *chunkSigner) check(text, given string) error {
	want := sign(s.key, text)
	if !hmac.Equal([]byte(want), []byte(given)) {
		return mismatch(s.accessKeyID, text, given)
	}
	s.previous = want
	return nil
}
