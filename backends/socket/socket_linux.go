package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// Cheaper tells whether Wrap does anything.
const Cheaper = true

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
	c.peek.way, c.peek.try = raw.Read, c.peek.look
	return c
}

// Conn is a TCP connection.
type Conn struct {
	*net.TCPConn
	in, out, peek transfer
}

// transfer is a Read or a Write under way.
type transfer struct {
	way func(try func(fd uintptr) (done bool)) error // tries whenever the socket is ready
	try func(fd uintptr) (done bool)

	mu   sync.Mutex // one at a time, as on any connection
	left []byte
	then []byte // behind what is left
	both [2]syscall.Iovec
	n    int
	err  syscall.Errno

	passed int // since it was the turn of others
}

// Read reads what is there, or waits for it.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.run(p, nil)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, c.failed("read", err)
}

// Write writes all of p.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.run(p, nil)
	return n, c.failed("write", err)
}

// WriteBoth writes all of one and then of another, in as few calls as if they were one.
func (c *Conn) WriteBoth(p, then []byte) (int, error) {
	n, err := c.out.run(p, then)
	return n, c.failed("write", err)
}

// Quiet tells whether the connection is open and nothing has come that was not read.
func (c *Conn) Quiet() bool {
	_, err := c.peek.run(make([]byte, 1), nil)
	return errors.Is(err, syscall.EAGAIN)
}

// turn is how many bytes pass before others have theirs. The scheduler, which is not told of
// calls, would let a body that never has to wait keep its processor for 10 ms at a time, and
// with a hundred of them a new connection to a store timed out.
const turn = 256 << 10

func (t *transfer) run(p, then []byte) (int, error) {
	n, others, err := t.once(p, then)
	if others {
		runtime.Gosched()
	}
	return n, err
}

// once tells, beside what was transferred, whether it is the turn of others.
func (t *transfer) once(p, then []byte) (n int, others bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.then, t.n, t.err = p, then, 0, 0
	err = t.way(t.try)
	t.left, t.then = nil, nil
	if err == nil && t.err != 0 {
		err = t.err
	}
	if t.passed += t.n; t.passed >= turn {
		t.passed, others = 0, true
	}
	return t.n, others, err
}

func (t *transfer) read(fd uintptr) bool {
	t.call(syscall.SYS_READ, fd, 0)
	return t.err != syscall.EAGAIN
}

func (t *transfer) write(fd uintptr) bool {
	for t.err = 0; t.err == 0; {
		switch {
		case len(t.left) == 0 && len(t.then) == 0:
			return true
		case len(t.left) == 0:
			t.left, t.then = t.then, nil
		case len(t.then) == 0:
			t.call(syscall.SYS_WRITE, fd, 0)
		default:
			t.callBoth(fd)
		}
	}
	return t.err != syscall.EAGAIN
}

func (t *transfer) look(fd uintptr) bool {
	t.call(syscall.SYS_RECVFROM, fd, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return true
}

// call reads or writes once.
func (t *transfer) call(number, fd, flags uintptr) {
	for {
		n, _, err := syscall.RawSyscall6(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.left))), uintptr(len(t.left)), flags, 0, 0)
		if t.err = err; err == 0 {
			t.n += int(n)
			t.left = t.left[n:]
		}
		if err != syscall.EINTR {
			return
		}
	}
}

// callBoth writes once, of what is left and what comes then.
func (t *transfer) callBoth(fd uintptr) {
	t.both = [2]syscall.Iovec{{Base: unsafe.SliceData(t.left)}, {Base: unsafe.SliceData(t.then)}}
	t.both[0].SetLen(len(t.left))
	t.both[1].SetLen(len(t.then))
	defer clear(t.both[:])
	for {
		n, _, err := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&t.both[0])), 2)
		if t.err = err; err == 0 {
			t.n += int(n)
			first := min(int(n), len(t.left))
			t.left, t.then = t.left[first:], t.then[int(n)-first:]
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
