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
//	header  "SLJ2" | last id u64 | salt u64 | CRC-32C u32
//	frame   "SLJF" | sequence u64 | payload length u32 | CRC-32C u32 | payload
//	payload records: uvarint count, then id, epoch, kind, bucket, key of each
//	        settled: uvarint count, then the ids
//
// Sequences ascend by one. A frame is written only after the one before it was
// synced. So a bad frame with nothing good behind it is a write that a crash
// tore, and was never promised to anybody; a bad frame with a good one behind it
// is damage.
//
// The salt is random in every file and goes into every frame's checksum: keys
// come from clients, and one that holds the bytes of a frame must not pass for a
// good frame behind the torn one it is part of.
var (
	headerMagic = []byte("SLJ2")
	frameMagic  = []byte("SLJF")
)

const (
	headerLength = 4 + 8 + 8 + 4
	frameHead    = 4 + 8 + 4 + 4
)

func appendHeader(b []byte, lastID, salt uint64) []byte {
	start := len(b)
	b = append(b, headerMagic...)
	b = binary.LittleEndian.AppendUint64(b, lastID)
	b = binary.LittleEndian.AppendUint64(b, salt)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is a frame's: of the salt, the head before the checksum, the payload.
func checksum(salt uint64, head, payload []byte) uint32 {
	sum := crc32.Checksum(binary.LittleEndian.AppendUint64(nil, salt), castagnoli)
	sum = crc32.Update(sum, castagnoli, head)
	return crc32.Update(sum, castagnoli, payload)
}

// appendFrame adds a frame with the records and settled ids.
func appendFrame(b []byte, salt, seq uint64, records []Record, settled []uint64) []byte {
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
	binary.LittleEndian.PutUint32(frame[16:], checksum(salt, frame[:16], frame[frameHead:]))
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errDamaged: the file is not what was written.
var errDamaged = errors.New("the file is damaged: restore the state directory, or move the file away and have every key compared (a new migration)")

// replay reads a whole file: the records that are not settled, and the highest id
// it ever held. A file is never empty, nor cut within its first frame: it comes
// into being by the renaming of a synced one.
func replay(raw []byte) (live map[uint64]Record, lastID uint64, err error) {
	if len(raw) < headerLength || !bytes.Equal(raw[:4], headerMagic) ||
		binary.LittleEndian.Uint32(raw[headerLength-4:]) != crc32.Checksum(raw[:headerLength-4], castagnoli) {
		return nil, 0, fmt.Errorf("header: %w", errDamaged)
	}
	live = make(map[uint64]Record)
	lastID = binary.LittleEndian.Uint64(raw[4:])
	salt := binary.LittleEndian.Uint64(raw[12:])
	at, seq, first := headerLength, uint64(0), true
	for at < len(raw) {
		f, ok := frameAt(raw, at, salt)
		if !ok {
			if first || frameBehind(raw, at+1, salt) {
				return nil, 0, fmt.Errorf("byte %d: %w", at, errDamaged)
			}
			break // torn by a crash
		}
		if !first && f.seq != seq+1 {
			return nil, 0, fmt.Errorf("byte %d: frame %d follows frame %d: %w", at, f.seq, seq, errDamaged)
		}
		if lastID, err = apply(f.payload, live, lastID); err != nil {
			return nil, 0, fmt.Errorf("byte %d: %w", at, err)
		}
		at, seq, first = at+frameHead+len(f.payload), f.seq, false
	}
	if first {
		return nil, 0, fmt.Errorf("no records behind the header: %w", errDamaged)
	}
	return live, lastID, nil
}

type frame struct {
	seq     uint64
	payload []byte
}

// frameAt is the frame that begins at a byte, if there is a good one.
func frameAt(raw []byte, at int, salt uint64) (frame, bool) {
	if len(raw)-at < frameHead || !bytes.Equal(raw[at:at+4], frameMagic) {
		return frame{}, false
	}
	head, rest := raw[at:at+frameHead], raw[at+frameHead:]
	length := int64(binary.LittleEndian.Uint32(head[12:]))
	if int64(len(rest)) < length {
		return frame{}, false
	}
	f := frame{binary.LittleEndian.Uint64(head[4:]), rest[:length]}
	return f, binary.LittleEndian.Uint32(head[16:]) == checksum(salt, head[:16], f.payload)
}

// frameBehind tells whether a good frame begins anywhere from a byte on.
func frameBehind(raw []byte, from int, salt uint64) bool {
	for from < len(raw) {
		i := bytes.Index(raw[from:], frameMagic)
		if i < 0 {
			return false
		}
		if _, ok := frameAt(raw, from+i, salt); ok {
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
