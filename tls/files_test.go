package tls

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFilesAreReadAgain: a new pair is served without a restart; a broken one is told and
// changes nothing.
func TestFilesAreReadAgain(t *testing.T) {
	o := filesOptions(t)
	o.Names = []string{"one.test"}
	writePair(t, o, "one.test")
	k, _, https := serve(t, o)
	shows := func(name string) func() error {
		return func() error {
			state, err := shake(https, "", nil)
			if err == nil && state.PeerCertificates[0].DNSNames[0] != name {
				err = fmt.Errorf("%v is shown, not %s", state.PeerCertificates[0].DNSNames, name)
			}
			return err
		}
	}
	must(t, shows("one.test")())
	if list := k.Certificates(); len(list) != 1 || list[0].Error != "" || list[0].DaysLeft != 2 || !k.Health().OK {
		t.Errorf("%+v", list)
	}

	must(t, os.WriteFile(o.KeyFile, []byte("no key"), 0o600))
	eventually(t, func() error {
		if k.Health().OK {
			return errors.New("nobody was told of the broken key")
		}
		return nil
	})
	if list := k.Certificates(); !strings.Contains(list[0].Error, "is broken, the certificate before it is served") {
		t.Errorf("%+v", list)
	}
	must(t, shows("one.test")())

	writePair(t, o, "two.test")
	eventually(t, shows("two.test"))
	if list := k.Certificates(); len(list) != 2 || list[0].Error != "" || !strings.Contains(list[1].Error, "is not for this name") {
		t.Errorf("%+v", list)
	}
}

func TestBrokenFilesAtStart(t *testing.T) {
	o := filesOptions(t)
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "certificate for https") {
		t.Errorf("without files: %v", err)
	}
	writePair(t, o, "one.test")
	must(t, os.WriteFile(o.CertFile, nil, 0o600))
	if _, err := Open(o); err == nil {
		t.Error("an empty certificate is taken")
	}
}

// TestOtherFiles: files whose pair is broken are not taken, and those before are read on;
// good ones are served at once.
func TestOtherFiles(t *testing.T) {
	o, other := filesOptions(t), filesOptions(t)
	writePair(t, o, "one.test")
	k, _, https := serve(t, o)
	shown := func() string {
		state, err := shake(https, "", nil)
		must(t, err)
		return state.PeerCertificates[0].DNSNames[0]
	}
	next := *k.o.Load()
	next.CertFile, next.KeyFile = other.CertFile, other.KeyFile
	if _, err := k.Change(next); err == nil || shown() != "one.test" {
		t.Errorf("%v, and %s is shown", err, shown())
	}
	writePair(t, other, "two.test")
	apply, err := k.Change(next)
	must(t, err)
	if got := shown(); got != "one.test" {
		t.Errorf("%s is shown before it is applied", got)
	}
	apply()
	if got := shown(); got != "two.test" {
		t.Errorf("%s is shown", got)
	}
	writePair(t, other, "three.test")
	eventually(t, func() error {
		if got := shown(); got != "three.test" {
			return errors.New(got)
		}
		return nil
	})
}
