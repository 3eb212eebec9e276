//go:build !linux

package socket

import "net"

// Wrap returns a connection as it is.
func Wrap(conn net.Conn) net.Conn { return conn }
