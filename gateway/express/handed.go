package express

import (
	"bufio"
	"crypto/tls"
	"net"
)

// handed is a connection with what was read of it and not answered. It lacks the ReadFrom
// of a *net.TCPConn, which sends files without copying them: the gateway watches every
// write of an answer (its patience), and never comes to it.
type handed struct {
	net.Conn
	in *bufio.Reader // nil once it is empty
}

// Read reads what was read before, then the connection.
func (h *handed) Read(p []byte) (int, error) {
	if h.in != nil {
		if h.in.Buffered() > 0 {
			return h.in.Read(p)
		}
		h.in = nil
	}
	return h.Conn.Read(p)
}

// CloseWrite ends what is sent: net/http does so before it closes a connection on a client
// that is still sending, which would else lose the answer.
func (h *handed) CloseWrite() error {
	if c, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// handedTLS is a connection of TLS. net/http asks for its state if it is not a *tls.Conn,
// and sets http.Request.TLS.
type handedTLS struct {
	handed
	tls *tls.Conn
}

// ConnectionState is the state of its TLS.
func (h *handedTLS) ConnectionState() tls.ConnectionState { return h.tls.ConnectionState() }
