package interop

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

// python finds an interpreter that has boto3: the first one on the path may be
// another than the one that Debian's package belongs to.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import boto3").Run() == nil {
			return name
		}
	}
	stage.Missing(t, "boto3", "apt-get install python3-boto3")
	return ""
}

// TestBoto3: testdata/boto3_calls.py finds every answer right; then both stores
// hold the same.
func TestBoto3(t *testing.T) {
	interpreter := python(t)
	s := stage.Start(t)
	t.Log(s.Run(t, interpreter, filepath.Join("testdata", "boto3_calls.py")))
	process.Eventually(t, time.Minute, s.Equal)
}
