package interop

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

// ruby finds an interpreter that has Amazon's SDK.
func ruby(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"ruby", "/usr/bin/ruby"} {
		if exec.CommandContext(t.Context(), name, "-e", "require 'aws-sdk-s3'; require 'nokogiri'").Run() == nil {
			return name
		}
	}
	stage.Missing(t, "Ruby's aws-sdk-s3", "apt-get install ruby ruby-aws-sdk-s3 ruby-nokogiri")
	return ""
}

// TestRuby: testdata/mastodon_calls.rb finds every answer right; then both stores
// hold the same.
func TestRuby(t *testing.T) {
	interpreter := ruby(t)
	s := stage.Start(t)
	t.Log(s.Run(t, interpreter, filepath.Join("testdata", "mastodon_calls.rb")))
	process.Eventually(t, time.Minute, s.Equal)
}
