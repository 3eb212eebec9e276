package cache

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"sluice/backends"
)

// A file of the tier on disk is
//
//	magic, 8 bytes | checksum of all that follows, 4 | length of the record, 4 |
//	the record, in gob | the body or the block
//
// It is written aside and renamed, without waiting for the disk: after a power failure
// half of it may be missing, which the checksum (CRC-32C) shows.

const (
	magic    = "sluice1\n"
	fixed    = len(magic) + 4 + 4
	asideExt = ".aside"
	// maxRecord bounds a record: a key of 1 KiB, metadata of 8 KiB, and their escapes.
	maxRecord = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errBroken = errors.New("the file is not as it was written")

// record is what a file says of its item.
type record struct {
	Bucket, Name string
	Block        int64
	ID           uint64 // of the entry
	Boot         string // the machine was running so when the entry was last confirmed
	Info         backends.Info
	Sums         http.Header
	SumsKnown    bool
	Checked      int64 // nanoseconds
	Body         bool  // the entry has one, if only of no bytes
}

// writeFile writes an item's file beside path, and answers where and how large it is.
func writeFile(path string, r record, data []byte) (aside string, size int64, err error) {
	var b bytes.Buffer
	b.WriteString(magic)
	b.Write(make([]byte, fixed-len(magic)))
	if err := gob.NewEncoder(&b).Encode(r); err != nil {
		return "", 0, fmt.Errorf("a record of the cache: %w", err)
	}
	head := b.Bytes()
	binary.BigEndian.PutUint32(head[fixed-4:], uint32(len(head)-fixed))
	sum := crc32.Update(crc32.Checksum(head[len(magic)+4:], castagnoli), castagnoli, data)
	binary.BigEndian.PutUint32(head[len(magic):], sum)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", 0, err
	}
	f, err := os.OpenFile(path+asideExt, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, err
	}
	if _, err = f.Write(head); err == nil {
		_, err = f.Write(data)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), int64(len(head) + len(data)), nil
}

// readFile reads a file whole, and checks it.
func readFile(path string) (record, []byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return record{}, nil, err
	}
	r, n, err := parseHead(raw)
	if err != nil {
		return record{}, nil, err
	}
	if crc32.Checksum(raw[len(magic)+4:], castagnoli) != binary.BigEndian.Uint32(raw[len(magic):]) {
		return record{}, nil, errBroken
	}
	return r, raw[fixed+n:], nil
}

// readHead reads a file's record alone, which proves nothing of the rest.
func readHead(path string) (record, error) {
	f, err := os.Open(path)
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	raw := make([]byte, fixed, 4<<10)
	if _, err := io.ReadFull(f, raw); err != nil {
		return record{}, errBroken
	}
	n := binary.BigEndian.Uint32(raw[fixed-4:])
	if string(raw[:len(magic)]) != magic || n > maxRecord {
		return record{}, errBroken
	}
	raw = append(raw, make([]byte, n)...)
	if _, err := io.ReadFull(f, raw[fixed:]); err != nil {
		return record{}, errBroken
	}
	r, _, err := parseHead(raw)
	return r, err
}

// parseHead reads the record at the beginning of a file, and answers its length.
func parseHead(raw []byte) (r record, n int, err error) {
	if len(raw) < fixed || string(raw[:len(magic)]) != magic {
		return r, 0, errBroken
	}
	if n = int(binary.BigEndian.Uint32(raw[fixed-4:])); n > maxRecord || fixed+n > len(raw) {
		return r, 0, errBroken
	}
	if gob.NewDecoder(bytes.NewReader(raw[fixed:fixed+n])).Decode(&r) != nil {
		return record{}, 0, errBroken
	}
	return r, n, nil
}
