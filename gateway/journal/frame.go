package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The file's format: a header, then frames, all integers little-endian.
//
//	header  "SLJ1" | last id u64 | CRC-32C u32
//	frame   "SLJF" | sequence u64 | payload length u32 | CRC-32C u32 | payload
//	payload records: uvarint count, then id, epoch, kind, bucket, key of each
//	        settled: uvarint count, then the ids
//
// A frame is written only after the one before it was synced. So a bad frame with
// nothing good behind it is a write that a crash tore, and was never promised to
// anybody; a bad frame with a good one behind it is damage.
var (
	headerMagic = []byte("SLJ1")
	frameMagic  = []byte("SLJF")
)

const (
	headerLength = 4 + 8 + 4
	frameHead    = 4 + 8 + 4 + 4
)

func appendHeader(b []byte, lastID uint64) []byte {
	start := len(b)
	b = append(b, headerMagic...)
	b = binary.LittleEndian.AppendUint64(b, lastID)
	return binary.LittleEndian.AppendUint32(b, checksum(b[start:]))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(parts ...[]byte) uint32 {
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// appendFrame adds a frame with the records and settled ids.
func appendFrame(b []byte, seq uint64, records []Record, settled []uint64) []byte {
	start := len(b)
	b = append(b, frameMagic...)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = append(b, make([]byte, 8)...) // length and checksum, below
	b = binary.AppendUvarint(b, uint64(len(records)))
	for _, r := range records {
		b = binary.AppendUvarint(b, r.ID)
		b = binary.AppendUvarint(b, r.Epoch)
		b = append(b, byte(r.Kind))
		b = appendString(b, r.Bucket)
		b = appendString(b, r.Key)
	}
	b = binary.AppendUvarint(b, uint64(len(settled)))
	for _, id := range settled {
		b = binary.AppendUvarint(b, id)
	}
	frame := b[start:]
	binary.LittleEndian.PutUint32(frame[12:], uint32(len(frame)-frameHead))
	binary.LittleEndian.PutUint32(frame[16:], checksum(frame[:16], frame[frameHead:]))
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errDamaged: the file is not what was written.
var errDamaged = errors.New("the file is damaged: restore the state directory, or move the file away and have every key compared (a new migration)")

// replay reads a whole file: the records that are not settled, and the highest id
// it ever held.
func replay(raw []byte) (live map[uint64]Record, lastID uint64, err error) {
	live = make(map[uint64]Record)
	if len(raw) == 0 {
		return live, 0, nil
	}
	if len(raw) < headerLength || !bytes.Equal(raw[:4], headerMagic) ||
		binary.LittleEndian.Uint32(raw[12:]) != checksum(raw[:12]) {
		return nil, 0, fmt.Errorf("header: %w", errDamaged)
	}
	lastID = binary.LittleEndian.Uint64(raw[4:])
	first := true
	for at := headerLength; at < len(raw); {
		payload, ok := frameAt(raw, at)
		if !ok {
			if first || frameBehind(raw, at+1) {
				return nil, 0, fmt.Errorf("byte %d: %w", at, errDamaged)
			}
			break // torn by a crash
		}
		if lastID, err = apply(payload, live, lastID); err != nil {
			return nil, 0, fmt.Errorf("byte %d: %w", at, err)
		}
		first = false
		at += frameHead + len(payload)
	}
	if first {
		return nil, 0, fmt.Errorf("no records behind the header: %w", errDamaged)
	}
	return live, lastID, nil
}

// frameAt is the payload of the frame that begins at a byte.
func frameAt(raw []byte, at int) ([]byte, bool) {
	if len(raw)-at < frameHead || !bytes.Equal(raw[at:at+4], frameMagic) {
		return nil, false
	}
	frame := raw[at:]
	length := int64(binary.LittleEndian.Uint32(frame[12:]))
	if int64(len(frame)-frameHead) < length {
		return nil, false
	}
	payload := frame[frameHead : frameHead+length]
	return payload, binary.LittleEndian.Uint32(frame[16:]) == checksum(frame[:16], payload)
}

// frameBehind tells whether a whole frame begins anywhere from a byte on.
func frameBehind(raw []byte, from int) bool {
	for from < len(raw) {
		i := bytes.Index(raw[from:], frameMagic)
		if i < 0 {
			return false
		}
		if _, ok := frameAt(raw, from+i); ok {
			return true
		}
		from += i + 1
	}
	return false
}

// apply plays a frame's payload.
func apply(payload []byte, live map[uint64]Record, lastID uint64) (uint64, error) {
	d := decoder{rest: payload}
	for range d.uvarint() {
		r := Record{ID: d.uvarint(), Epoch: d.uvarint(), Kind: Kind(d.byte()), Bucket: d.string(), Key: d.string()}
		if d.bad {
			break
		}
		live[r.ID] = r
		lastID = max(lastID, r.ID)
	}
	if !d.bad {
		for range d.uvarint() {
			if delete(live, d.uvarint()); d.bad {
				break
			}
		}
	}
	if d.bad || len(d.rest) > 0 {
		return lastID, errDamaged
	}
	return lastID, nil
}

// decoder reads a payload; bad sticks.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	v := d.rest[0]
	d.rest = d.rest[1:]
	return v
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	v := string(d.rest[:n])
	d.rest = d.rest[n:]
	return v
}
