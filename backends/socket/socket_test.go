//go:build linux

package socket

import (
	"io"
	"net"
	"testing"

	"golang.org/x/net/nettest"
)

// pair is a connection between two sockets of this machine, both made cheaper.
func pair(t testing.TB) (client, server net.Conn) {
	plain, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listener{plain}
	defer l.Close()
	client, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return Wrap(client), server
}

// It is a connection like any other, by the suite that golang.org/x/net has for them.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
		a, b = pair(t)
		return a, b, func() { a.Close(); b.Close() }, nil
	})
}

func TestMuchIsWritten(t *testing.T) {
	client, server := pair(t)
	const size = 64 << 20 // more than the kernel holds
	go func() {
		_, _ = client.Write(make([]byte, size))
		client.Close()
	}()
	if n, err := io.Copy(io.Discard, server); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestOthersAreReturnedAsTheyAre(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Wrap(a) != a {
		t.Error("it is another")
	}
}
