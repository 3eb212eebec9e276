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
