package admin

import (
	"context"
	"net"
	"os/user"
	"strconv"
	"syscall"
)

// WithPeer remembers who is at the other end of a connection, for the audit log
// (http.Server.ConnContext). The kernel knows it: SO_PEERCRED, unix(7).
func WithPeer(ctx context.Context, conn net.Conn) context.Context {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return ctx
	}
	var name string
	_ = raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err != nil {
			return
		}
		id := strconv.FormatUint(uint64(cred.Uid), 10)
		name = "uid " + id
		if u, err := user.LookupId(id); err == nil {
			name = u.Username
		}
	})
	return context.WithValue(ctx, peer{}, name)
}
