// Package socket makes reading and writing TCP cheaper where processes share few processors.
//
// Go tells its scheduler of every system call, lest one that blocks holds a processor. On a
// socket none blocks; but the kernel does the receiver's work within the sender's call, or
// lets the receiver run first, and a call that takes 20 µs is taken for one that blocks: its
// processor goes to another thread, which has to be woken, and is missed when the call
// returns. A proxy that does little else than read and write spends more on that than on the
// bytes. Here the scheduler is not told.
package socket

import "net"

// Listener accepts connections that Wrap has made cheaper.
type Listener struct{ net.Listener }

// Accept waits for the next connection.
func (l Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Wrap(conn), nil
}
