package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// object is one object of the demo: what is in it follows from its key, version
// and size, so that any answer can be checked without remembering any body.
type object struct {
	key     string
	version int
	size    int
	parts   int // uploaded in that many parts; 0 for one request
}

// body is the object's content.
func (o object) body() []byte {
	buf := make([]byte, o.size)
	o.fill(buf)
	return buf
}

func (o object) fill(buf []byte) {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(o.key), uint64(o.version)))
	_, _ = rand.NewChaCha8(seed).Read(buf) // never fails
}

// check tells what is wrong with a body that claims to be the object's.
func (o object) check(body io.Reader) error {
	got, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, o.body()) {
		return fmt.Errorf("wrong content of %q: %d bytes that are not version %d", o.key, len(got), o.version)
	}
	return nil
}

// unread is an object of the library that the players leave alone: the demo damages it,
// and nobody is to see that.
const unread = "media_attachments/files/109/876/543/original/wedding.jpg"

// library is what a small Mastodon server has stored over the years: mostly
// small pictures, some larger media, a video uploaded in parts, and the odd names
// and sizes that real life brings.
func library() []object {
	r := rand.New(rand.NewPCG(1, 2))
	var all []object
	add := func(n int, format string, smallest, largest int) {
		for i := range n {
			id := fmt.Sprintf("%03d/%03d/%03d", i/1000, i%1000, r.IntN(1000))
			all = append(all, object{key: fmt.Sprintf(format, id), size: smallest + r.IntN(largest-smallest)})
		}
	}
	add(500, "accounts/avatars/%s/original/avatar.png", 1<<10, 40<<10)
	add(200, "accounts/headers/%s/original/header.jpg", 10<<10, 120<<10)
	add(450, "media_attachments/files/%s/small/picture.webp", 2<<10, 60<<10)
	add(110, "media_attachments/files/%s/original/photo.jpeg", 60<<10, 400<<10)
	add(30, "cache/preview_cards/images/%s/original/card.png", 5<<10, 50<<10)
	add(3, "media_attachments/files/%s/original/clip.mp4", 7<<20, 8<<20)
	return append(all,
		object{key: "media_attachments/files/111/222/333/original/video.mp4", size: 12 << 20, parts: 2},
		object{key: unread, size: 300 << 10},
		object{key: "custom_emojis/images/000/001/blåhaj 🦈.png", size: 3 << 10},
		object{key: "custom_emojis/images/000/002/a+b & c=d.png", size: 2 << 10},
		object{key: "custom_emojis/images/000/003/ελληνικά/日本語.png", size: 1 << 10},
		object{key: "backups/dumps/000/000/001/original/empty.zip", size: 0},
	)
}
