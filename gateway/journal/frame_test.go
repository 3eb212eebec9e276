package journal

import (
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// moment is what a log's file promised when it had a size.
type moment struct {
	size int
	live []uint64
}

// history is the file of a log that appended and forgot, and its moments; the
// first is the file as it was created, in one rename.
func history(t *testing.T) (raw []byte, moments []moment) {
	t.Helper()
	dir := t.TempDir()
	l, err := openLog(dir, growing)
	if err != nil {
		t.Fatal(err)
	}
	now := func(live ...uint64) {
		raw, err = os.ReadFile(filepath.Join(dir, logName))
		if err != nil {
			t.Fatal(err)
		}
		moments = append(moments, moment{len(raw), live})
	}
	now()
	appendAll(t, l, 1)
	now(1)
	appendAll(t, l, 2)
	now(1, 2)
	l.Forget([]uint64{1}) // goes with the next
	appendAll(t, l, 3)
	now(2, 3)
	if err := l.Append([]Record{record(4), record(5), record(6)}).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	now(2, 3, 4, 5, 6)
	l.Forget([]uint64{2, 4})
	appendAll(t, l, 7)
	now(3, 5, 6, 7)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return raw, moments
}

// at is the last moment of which a file of this size holds everything.
func at(moments []moment, size int) moment {
	m := moments[0]
	for _, later := range moments {
		if later.size <= size {
			m = later
		}
	}
	return m
}

func liveIDs(live map[uint64]Record) []uint64 { return slices.Sorted(maps.Keys(live)) }

// TestCutAtEveryByte: wherever a crash cuts the file, every record that was
// durable comes back, none is invented, and none that was durably forgotten
// returns; whether the file ends at the cut, or is as long as it was made and
// reads as zeros from there.
func TestCutAtEveryByte(t *testing.T) {
	raw, moments := history(t)
	for cut := range len(raw) + 1 {
		whole := cut // bytes that are as they were written
		zeros := append(bytes.Clone(raw[:cut]), make([]byte, len(raw))...)
		for whole < len(raw) && raw[whole] == 0 {
			whole++
		}
		for name, c := range map[string]struct {
			file  []byte
			whole int
		}{"ends": {raw[:cut], cut}, "zeros": {zeros, whole}} {
			live, _, err := replay(c.file)
			if c.whole < moments[0].size {
				if err == nil {
					t.Fatalf("%s at %d, before anything was promised: no error", name, cut)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s at %d: %v", name, cut, err)
			}
			if want := at(moments, c.whole).live; !slices.Equal(liveIDs(live), want) {
				t.Fatalf("%s at %d: records %v, want %v", name, cut, liveIDs(live), want)
			}
		}
	}
}

// TestTornHeadFirst: a disk may write the pages of one frame in any order. The
// end of a frame without its beginning is torn like any other.
func TestTornHeadFirst(t *testing.T) {
	raw, moments := history(t)
	before := moments[len(moments)-2]
	for lost := before.size + 1; lost <= len(raw); lost++ {
		torn := bytes.Clone(raw)
		clear(torn[before.size:lost])
		live, _, err := replay(torn)
		if err != nil || !slices.Equal(liveIDs(live), before.live) {
			t.Fatalf("bytes %d to %d lost: records %v, error %v; want %v", before.size, lost, liveIDs(live), err, before.live)
		}
	}
}

// TestFlippedByteIsNeverSilent: a byte that changed anywhere is an error, or
// loses the last frame alone, which can not be told from one a crash tore.
func TestFlippedByteIsNeverSilent(t *testing.T) {
	raw, moments := history(t)
	last := moments[len(moments)-2]
	for at := range raw {
		for _, mask := range []byte{0x01, 0x41, 0x80, 0xff} {
			bent := bytes.Clone(raw)
			bent[at] ^= mask
			live, _, err := replay(bent)
			if at < last.size && err == nil {
				t.Fatalf("byte %d of %d changed by %#x: %v without an error", at, len(raw), mask, liveIDs(live))
			}
			if at >= last.size && (err != nil || !slices.Equal(liveIDs(live), last.live)) {
				t.Fatalf("byte %d of the last frame changed by %#x: %v, error %v; want %v", at, mask, liveIDs(live), err, last.live)
			}
		}
	}
}

// TestLostFrameIsDamage: whole frames that are missing, doubled or exchanged.
func TestLostFrameIsDamage(t *testing.T) {
	raw, m := history(t)
	cuts := func(parts ...int) (b []byte) {
		b = bytes.Clone(raw[:m[1].size])
		for _, p := range parts {
			b = append(b, raw[m[p-1].size:m[p].size]...)
		}
		return b
	}
	for name, file := range map[string][]byte{
		"missing":   cuts(3, 4, 5),
		"doubled":   cuts(2, 2, 3),
		"exchanged": cuts(3, 2),
	} {
		if live, _, err := replay(file); err == nil {
			t.Errorf("a frame is %s: %v without an error", name, liveIDs(live))
		}
	}
}

// TestKeyThatLooksLikeAFrame: clients choose keys. One that holds a whole frame
// must not make a torn write look like damage, after which nothing would start.
func TestKeyThatLooksLikeAFrame(t *testing.T) {
	const salt = 0x5a17
	file := appendFrame(appendHeader(nil, 0, salt), salt, 1, []Record{record(1)}, nil)
	promised := len(file)
	for guess := range uint64(8) {
		r := record(2)
		r.Key = string(appendFrame(nil, 0, guess, nil, nil)) + "end"
		torn := appendFrame(bytes.Clone(file), salt, 2, []Record{r}, nil)
		for cut := promised; cut < len(torn); cut++ {
			live, _, err := replay(torn[:cut])
			if err != nil || !slices.Equal(liveIDs(live), []uint64{1}) {
				t.Fatalf("sequence %d, cut at %d: records %v, error %v; want record 1", guess, cut, liveIDs(live), err)
			}
		}
	}
}

// FuzzReplay reads damaged files, and whole frames of damaged content: it never
// panics, and what it accepts survives being written anew.
func FuzzReplay(f *testing.F) {
	const salt = 7
	good := appendFrame(nil, salt, 1, []Record{record(7), record(9)}, []uint64{7})
	file := append(appendHeader(nil, 9, salt), good...)
	f.Add(file)
	f.Add(file[:len(file)-3])
	f.Add(append(bytes.Clone(file), make([]byte, 64)...))
	f.Add(append(bytes.Clone(file), appendFrame(nil, salt, 2, nil, []uint64{9})...))
	f.Add(append(bytes.Clone(file), good...))
	f.Add([]byte("SLJ2"))
	f.Add([]byte{})
	f.Add(good[frameHead:])                                      // a payload
	f.Add(good[frameHead : len(good)-1])                         // cut
	f.Add(binary.AppendUvarint(nil, 1<<63))                      // more records than there are bytes
	f.Add([]byte{1, 1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 'b'}) // a bucket longer than the payload
	f.Fuzz(func(t *testing.T, raw []byte) {
		check(t, raw)
		check(t, sealed(appendHeader(nil, 1, salt), salt, 1, raw))
	})
}

func check(t *testing.T, raw []byte) {
	live, last, err := replay(raw)
	if err != nil {
		return
	}
	records := slices.Collect(maps.Values(live))
	for _, r := range records {
		if r.ID > last {
			t.Errorf("record %d above the last id %d", r.ID, last)
		}
	}
	again, lastAgain, err := replay(appendFrame(appendHeader(nil, last, 1), 1, 1, records, nil))
	if err != nil || lastAgain != last || !reflect.DeepEqual(again, live) {
		t.Errorf("written anew: %v, last id %d, error %v; want %v and %d", again, lastAgain, err, live, last)
	}
}

// sealed adds a frame with any bytes as its payload.
func sealed(b []byte, salt, seq uint64, payload []byte) []byte {
	head := append([]byte(nil), frameMagic...)
	head = binary.LittleEndian.AppendUint64(head, seq)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(payload)))
	b = append(b, head...)
	b = binary.LittleEndian.AppendUint32(b, checksum(salt, head, payload))
	return append(b, payload...)
}
