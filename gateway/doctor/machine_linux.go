package doctor

import "syscall"

// volumes are the kinds of file system that the state is not to be on (statfs(2)).
var volumes = map[uint32]volume{
	0x6969:     {kind: "NFS", remote: true},
	0x517b:     {kind: "SMB", remote: true},
	0xff534d42: {kind: "CIFS", remote: true},
	0xfe534d42: {kind: "SMB", remote: true},
	0x65735546: {kind: "FUSE", remote: true},
	0x00c36400: {kind: "CephFS", remote: true},
	0x01021997: {kind: "9p", remote: true},
	0x01021994: {kind: "tmpfs (memory)", fleeting: true},
	0x858458f6: {kind: "ramfs (memory)", fleeting: true},
	0x794c7630: {kind: "a container's own layer (overlayfs)", fleeting: true},
}

func volumeOf(dir string) (volume, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return volume{}, err
	}
	v := volumes[uint32(s.Type)]
	v.free = s.Bavail * uint64(s.Bsize)
	return v, nil
}

// openFiles is this process's limit, which Go has raised as far as it may.
func openFiles() (limit uint64, known bool) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return l.Cur, err == nil
}
