package cache

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// hold keeps a fetch's bytes until its last reader has left: in blocks, or, of a long
// answer, in a file that has no name any more.
type hold struct {
	first, end int64    // offsets in the object
	file       *os.File // nil: in memory
	tail       []byte   // the block that is being filled: of who reads on

	mu     sync.Mutex
	blocks [][]byte // in memory, with all their capacity
}

// unnamed is a file that is gone when it is closed; nil if there can be none.
func unnamed(dir string) *os.File {
	f, err := os.CreateTemp(dir, "spool-*")
	if err != nil {
		return nil
	}
	if os.Remove(f.Name()) != nil {
		f.Close()
		return nil
	}
	return f
}

// read takes in what src has, for the bytes from at on, and answers the block if it is full.
// One that is kept is not written to again.
func (h *hold) read(src io.Reader, at int64, kept bool) (n int64, full []byte, err error) {
	if len(h.tail) == cap(h.tail) {
		h.next(min(h.end-at, BlockSize-at%BlockSize), kept)
	}
	space := h.tail[len(h.tail):cap(h.tail)]
	got, err := src.Read(space)
	if h.file != nil {
		if _, err := h.file.WriteAt(space[:got], at-h.first); err != nil {
			return 0, nil, fmt.Errorf("keeping what was read for others who read it: %w", err)
		}
	}
	if h.tail = h.tail[:len(h.tail)+got]; len(h.tail) == cap(h.tail) {
		full = h.tail
	}
	return int64(got), full, err
}

// next makes room for a block.
func (h *hold) next(size int64, kept bool) {
	if h.file != nil && !kept && int64(cap(h.tail)) >= size {
		h.tail = h.tail[:0:size]
		return
	}
	h.tail = make([]byte, 0, size)
	if h.file == nil {
		h.mu.Lock()
		h.blocks = append(h.blocks, h.tail[:size])
		h.mu.Unlock()
	}
}

// begun tells whether a block is only partly there. It is asked when nobody reads on.
func (h *hold) begun() bool { return len(h.tail) > 0 && len(h.tail) < cap(h.tail) }

// readAt reads bytes that are there.
func (h *hold) readAt(p []byte, at int64) (int, error) {
	if h.file != nil {
		return h.file.ReadAt(p, at-h.first)
	}
	return copy(p, h.view(at, at+int64(len(p)))), nil
}

// view is the bytes that are there from an offset on, up to another or to their block's end.
func (h *hold) view(from, to int64) []byte {
	h.mu.Lock()
	block := h.blocks[from/BlockSize-h.first/BlockSize]
	h.mu.Unlock()
	begin := max(h.first, from/BlockSize*BlockSize)
	return block[from-begin : min(to-begin, int64(len(block)))]
}

func (h *hold) close() {
	if h != nil && h.file != nil {
		h.file.Close()
	}
}
