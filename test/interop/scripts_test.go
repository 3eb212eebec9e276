package interop

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

// TestBoto3: testdata/boto3_calls.py finds every answer right; then both stores
// hold the same.
func TestBoto3(t *testing.T) {
	python := interpreter(t, "python3", "boto3", "python3-boto3", "-c", "import boto3")
	runScript(t, python, "boto3_calls.py")
}

// TestRuby: testdata/mastodon_calls.rb finds every answer right; then both stores
// hold the same.
func TestRuby(t *testing.T) {
	ruby := interpreter(t, "ruby", "Ruby's aws-sdk-s3", "ruby ruby-aws-sdk-s3 ruby-nokogiri",
		"-e", "require 'aws-sdk-s3'; require 'nokogiri'")
	runScript(t, ruby, "mastodon_calls.rb")
}

// interpreter finds one that has a library, which it shows by what it runs: the
// first one on the path may be another than the one that Debian's packages belong
// to.
func interpreter(t *testing.T, name, library, packages string, shows ...string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/bin/" + name} {
		if exec.CommandContext(t.Context(), path, shows...).Run() == nil {
			return path
		}
	}
	stage.Missing(t, library, "apt-get install "+packages)
	return ""
}

func runScript(t *testing.T, interpreter, script string) {
	t.Helper()
	s := stage.Start(t)
	t.Log(s.Run(t, interpreter, filepath.Join("testdata", script)))
	process.Eventually(t, time.Minute, s.Equal)
}
