package deploy

import (
	"bufio"
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const unit = "deploy/systemd/sluice.service"

// settings are a unit's, each with all its values.
func settings(raw []byte) map[string][]string {
	all := make(map[string][]string)
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(name, "#") {
			all[name] = append(all[name], value)
		}
	}
	return all
}

// TestUnit: systemd understands the unit wholly, and finds little that the program may do
// beyond its work.
func TestUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	file := filepath.Join(t.TempDir(), "sluice.service")
	// It looks whether what is started is there.
	write(t, file, bytes.ReplaceAll(read(t, unit), []byte("/usr/local/bin/sluice"), []byte(program(t))))
	if out, err := run(t, nil, analyze, "verify", "--man=no", "--recursive-errors=no", file); err != nil || out != "" {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := run(t, nil, analyze, "security", "--offline=true", "--threshold=20", file); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}

// TestUnitAndConfiguration: the secrets that the configuration asks for are those that the unit
// hands over, and systemd waits for uploads to finish.
func TestUnitAndConfiguration(t *testing.T) {
	s := settings(read(t, unit))
	credentials := t.TempDir()
	id, path, _ := strings.Cut(s["LoadCredential"][0], ":")
	if path != "/etc/sluice/"+id {
		t.Errorf("%s is called %s: beside the configuration it has another name", path, id)
	}
	files := regexp.MustCompile(`_file: "?`+id+`/(\w+)`).FindAllSubmatch(read(t, "deploy/systemd/sluice.yaml"), -1)
	if len(files) < 3 {
		t.Errorf("the configuration asks for %d files of it", len(files))
	}
	for _, f := range files {
		write(t, filepath.Join(credentials, id+"_"+string(f[1])), []byte("secret")) // as systemd.exec(5) says
	}
	c := effective(t, filepath.Join(root, "deploy/systemd/sluice.yaml"), map[string]string{"CREDENTIALS_DIRECTORY": credentials})
	stop, err := time.ParseDuration(s["TimeoutStopSec"][0] + "s")
	if err != nil {
		t.Fatal(err)
	}
	drain, err := time.ParseDuration(c.Limits.Drain)
	if err != nil || stop <= drain {
		t.Errorf("it is killed after %v, and drains for %v, %v", stop, drain, err)
	}
	if c.StateDir != "/var/lib/"+s["StateDirectory"][0] {
		t.Errorf("the state is in %s, and may be written in %s", c.StateDir, s["StateDirectory"])
	}
}
