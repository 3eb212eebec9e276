package socket

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// Wrap makes a TCP connection cheaper; any other is returned as it is.
func Wrap(conn net.Conn) net.Conn {
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return conn
	}
	c := &Conn{TCPConn: t}
	c.in.way, c.in.try = raw.Read, c.in.read
	c.out.way, c.out.try = raw.Write, c.out.write
	return c
}

// Conn is a TCP connection.
type Conn struct {
	*net.TCPConn
	in, out transfer
}

// transfer is a Read or a Write under way.
type transfer struct {
	way func(try func(fd uintptr) (done bool)) error // tries whenever the socket is ready
	try func(fd uintptr) (done bool)

	mu   sync.Mutex // one at a time, as on any connection
	left []byte
	n    int
	err  syscall.Errno

	passed int // since it was the turn of others
}

// Read reads what is there, or waits for it.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.run(p)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, c.failed("read", err)
}

// Write writes all of p.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.run(p)
	return n, c.failed("write", err)
}

// turn is how many bytes pass before others have theirs. The scheduler, which is not told of
// calls, would let a body that never has to wait keep its processor for 10 ms at a time, and
// with a hundred of them a new connection to a store timed out.
const turn = 32 << 10

func (t *transfer) run(p []byte) (int, error) {
	n, others, err := t.once(p)
	if others {
		runtime.Gosched()
	}
	return n, err
}

// once tells, beside what was transferred, whether it is the turn of others.
func (t *transfer) once(p []byte) (n int, others bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.n, t.err = p, 0, 0
	err = t.way(t.try)
	t.left = nil
	if err == nil && t.err != 0 {
		err = t.err
	}
	if t.passed += t.n; t.passed >= turn {
		t.passed, others = 0, true
	}
	return t.n, others, err
}

func (t *transfer) read(fd uintptr) bool {
	t.call(syscall.SYS_READ, fd)
	return t.err != syscall.EAGAIN
}

func (t *transfer) write(fd uintptr) bool {
	for t.err = 0; len(t.left) > 0 && t.err == 0; {
		t.call(syscall.SYS_WRITE, fd)
	}
	return t.err != syscall.EAGAIN
}

// call reads or writes once.
func (t *transfer) call(number, fd uintptr) {
	for {
		n, _, err := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.left))), uintptr(len(t.left)))
		if t.err = err; err == 0 {
			t.n += int(n)
			t.left = t.left[n:]
		}
		if err != syscall.EINTR {
			return
		}
	}
}

// failed is an error as net has them.
func (c *Conn) failed(op string, err error) error {
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}
