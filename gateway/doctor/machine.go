package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
)

const (
	slowSync  = 20 * time.Millisecond // each write waits for one
	leastFree = 256 << 20             // below it a gateway soon has to refuse writes
	journals  = 1 << 30               // of free space is enough for the journal and what else the state holds
)

// machine looks at what the gateway needs of its machine.
func (d *doctor) machine(ctx context.Context) {
	s := subject{Machine, "gateway", d.report}
	if d.Names != nil {
		s.ok("running", "it runs; what follows is what it sees")
	} else {
		s.warn("running", "no gateway runs with this configuration: whether names and ports lead to it, and its certificates, it alone can tell",
			"ask again when it runs")
		d.ports(ctx, s)
	}
	d.files(s)
	c := d.Config
	state := subject{Machine, "state directory " + c.StateDir, d.report}
	need := uint64(journals)
	if c.Cache.Memory > 0 {
		need += uint64(c.Cache.Spool)
	}
	if c.Cache.Disk > 0 && c.Cache.Directory == "" {
		need += uint64(c.Cache.Disk)
	}
	state.directory(c.StateDir, need, true)
	if c.Cache.Disk > 0 && c.Cache.Directory != "" {
		subject{Machine, "cache directory " + c.Cache.Directory, d.report}.directory(c.Cache.Directory, uint64(c.Cache.Disk), false)
	}
}

// ports tells whether the addresses can be listened at.
func (d *doctor) ports(ctx context.Context, s subject) {
	for _, a := range []struct{ setting, address string }{
		{"listen.http", d.Config.Listen.HTTP}, {"listen.https", d.Config.Listen.HTTPS}, {"listen.admin", d.Config.Listen.Admin},
	} {
		if a.address == "" {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.address)
		switch {
		case err == nil:
			l.Close()
			s.ok(a.setting, a.address+" is free")
		case errors.Is(err, syscall.EADDRINUSE):
			s.fail(a.setting, trouble{"something else listens at " + a.address, "end it (ss -ltnp names it), or choose another address for " + a.setting, ""})
		case errors.Is(err, fs.ErrPermission):
			s.warn(a.setting, "this user may not listen at "+a.address,
				"let the service's user do it (AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit)")
		default:
			s.fail(a.setting, trouble{err.Error(), "correct " + a.setting, ""})
		}
	}
}

// files looks at how many files and connections may be open: for each request the client's,
// one to each store, and some for the rest.
func (d *doctor) files(s subject) {
	need := uint64(3*d.Config.Limits.Requests + 256)
	limit, known := openFiles()
	switch {
	case !known:
	case limit < need:
		s.warn("open files", fmt.Sprintf("%d may be open, and limits.requests (%d) may need %d", limit, d.Config.Limits.Requests, need),
			fmt.Sprintf("set LimitNOFILE=%d in the service's unit (ulimit -n), or lower limits.requests", need))
	default:
		s.ok("open files", fmt.Sprintf("%d may be open, %d may be needed", limit, need))
	}
}

// directory tries whether a directory can be used, or can be made, and how fast it is if
// synced says that this matters.
func (s subject) directory(dir string, need uint64, synced bool) {
	at, err := existing(dir)
	var aside string
	if err == nil {
		aside, err = os.MkdirTemp(at, ".sluice-doctor-*")
	}
	if err != nil {
		s.fail("writable", trouble{
			fmt.Sprintf("the user %d can not write there: %v", os.Geteuid(), err),
			fmt.Sprintf("make it, and give it to the user that the gateway runs as (install -d -m 700 -o USER %s)", dir), "",
		})
		return
	}
	defer os.RemoveAll(aside)
	if at == filepath.Clean(dir) {
		s.ok("writable", "it can be written to")
	} else {
		s.ok("writable", "it is not there yet, and can be made")
	}
	if synced {
		s.syncs(aside)
	}
	s.space(aside, need)
}

// existing is the directory, or the nearest above it that there is.
func existing(dir string) (string, error) {
	for {
		dir = filepath.Clean(dir)
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", fmt.Errorf("%s is not a directory", dir)
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

func (s subject) syncs(dir string) {
	took, err := syncTime(dir)
	switch {
	case err != nil:
		s.fail("fsync", trouble{"the disk does not make a file durable: " + err.Error(), "use a local disk for state_dir", ""})
	case took > slowSync:
		s.warn("fsync", fmt.Sprintf("the disk takes %v to make a write durable, and each upload waits for it", took.Round(time.Millisecond/10)),
			"put state_dir on a faster disk")
	default:
		s.ok("fsync", fmt.Sprintf("the disk makes a write durable in %v", took.Round(time.Millisecond/100)))
	}
}

// syncTime is the middle one of a few writes' times.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := bytes.Repeat([]byte{1}, 4<<10)
	var times []time.Duration
	for range 5 {
		began := time.Now()
		_, err := f.Write(block)
		if err = errors.Join(err, f.Sync()); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func (s subject) space(dir string, need uint64) {
	v, err := volumeOf(dir)
	if err != nil {
		s.warn("free space", err.Error(), "look at the disk")
		return
	}
	switch {
	case v.remote:
		s.warn("disk", "it is on "+v.kind+", where locks and fsync are not to be trusted, and which may go away", "use a local disk")
	case v.fleeting:
		s.warn("disk", "it is on "+v.kind+", which is gone with the machine or the container", "use a disk, or a volume, that stays")
	default:
		s.ok("disk", "it is on a disk of this machine")
	}
	seen := fmt.Sprintf("%s are free, %s are asked for", humanize.IBytes(v.free), humanize.IBytes(need))
	switch {
	case v.free < leastFree:
		s.fail("free space", trouble{seen, "make room: with a full disk no write can be taken", ""})
	case v.free < need:
		s.warn("free space", seen, "make room, or lower cache.disk and cache.spool")
	default:
		s.ok("free space", seen)
	}
}

// volume is what a directory is on.
type volume struct {
	kind     string // of file system, in words
	remote   bool
	fleeting bool
	free     uint64 // bytes that its user may use
}
