//go:build linux

package socket

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

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

// TestBothAreWritten: headers and a body arrive one behind the other, wherever the kernel's room
// ends.
func TestBothAreWritten(t *testing.T) {
	for _, sizes := range [][2]int{{0, 0}, {0, 10}, {10, 0}, {10, 10}, {100, 16 << 20}, {16 << 20, 100}, {16 << 20, 16 << 20}} {
		client, server := pair(t)
		want := make([]byte, sizes[0]+sizes[1])
		_, _ = rand.NewChaCha8([32]byte{}).Read(want)
		wrote := make(chan error, 1)
		go func() {
			n, err := client.(*Conn).WriteBoth(want[:sizes[0]], want[sizes[0]:])
			if err == nil && n != len(want) {
				err = fmt.Errorf("it says it wrote %d bytes", n)
			}
			client.Close()
			wrote <- err
		}()
		got, err := io.ReadAll(server)
		if !bytes.Equal(got, want) || err != nil {
			t.Errorf("%v: %d bytes came, %v", sizes, len(got), err)
		}
		if err := <-wrote; err != nil {
			t.Errorf("%v: %v", sizes, err)
		}
	}
}

func TestQuiet(t *testing.T) {
	client, server := pair(t)
	quiet := func() bool { return client.(interface{ Quiet() bool }).Quiet() }
	becomes := func(want bool) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); quiet() != want; {
			if time.Now().After(end) {
				t.Fatalf("it is not %v", want)
			}
		}
	}
	becomes(true)
	if _, err := server.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	becomes(false)
	if n, err := client.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	becomes(true)
	server.Close()
	becomes(false)
	client.Close()
	becomes(false)
}

func TestOthersAreReturnedAsTheyAre(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Wrap(a) != a {
		t.Error("it is another")
	}
}
