package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"sluice/gateway/config"
)

// TestUpToDate: what is in the tree is what the comments say now. Every field without a
// comment is an error of generate.
func TestUpToDate(t *testing.T) {
	schema, page, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{"../schema.json": schema, "../../../docs/config.md": page} {
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the comments of gateway/config say (%v): go generate ./gateway/config", file, err)
		}
	}
	if !bytes.Equal(config.Schema, schema) {
		t.Error("the program has another schema")
	}
}

// TestFieldsNeedComments: a setting that nobody described is not generated over.
func TestFieldsNeedComments(t *testing.T) {
	words, err := readComments("..")
	if err != nil {
		t.Fatal(err)
	}
	delete(words, "Rule.Mode")
	if _, err := schemaOf(words); err == nil || !strings.Contains(err.Error(), "Rule.Mode has no yaml name, or no comment") {
		t.Error(err)
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var document map[string]any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return document
}

const base = `
stores: { a: { endpoint: "https://a.test", access_key_id: k, secret_access_key: s }, b: { endpoint: "https://b.test", access_key_id: k, secret_access_key: s } }
buckets: { mastodata: { old: a, new: b } }
credentials: [ { access_key_id: k, secret_access_key: s } ]
`

// TestReadme: the schema takes every example of the README.
func TestReadme(t *testing.T) {
	s, required := compile(t), decode(t, base)
	raw, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, block := range examples(string(raw)) {
		document := decode(t, block)
		for key, value := range required {
			if document[key] == nil {
				document[key] = value
			}
		}
		if err := s.Validate(document); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
		for key := range document {
			seen[key] = true
		}
	}
	for _, key := range []string{"state_dir", "listen", "stores", "hosts", "cache", "tls", "notify", "migration"} {
		if !seen[key] {
			t.Errorf("no example has %s", key)
		}
	}
}

// examples are the indented blocks that begin with a key of the file, each up to a blank
// line.
func examples(markdown string) (list []string) {
	for _, block := range strings.Split(markdown, "\n\n") {
		var lines []string
		for line := range strings.Lines(block + "\n") {
			text, indented := strings.CutPrefix(line, "    ")
			if indented && !strings.HasPrefix(text, "#") {
				lines = append(lines, text)
			}
		}
		text := strings.Join(lines, "")
		if key, _, ok := strings.Cut(text, ":"); ok && bytes.Contains(config.Schema, []byte("\n    \""+key+"\": {")) {
			list = append(list, text)
		}
	}
	return list
}

// TestSchemaAgreesWithParse: both take the same.
func TestSchemaAgreesWithParse(t *testing.T) {
	s := compile(t)
	for _, c := range []struct {
		text string
		good bool
	}{
		{"", true},
		{"cache: { memory: 64MiB, disk: 4096, spool: 1.5GB, max_object_size: 10 MB }", true},
		{"cache: { memory: 0 }", true},
		{"cache: { memory: lots }", false},
		{"cache: { memory: -1 }", false},
		{"cache: { memory: 1XB }", false},
		{"cache: { memory: [1] }", false},
		{"cache: { ttl: 1h30m, stale: 500ms, negative_ttl: 1.5s }", true},
		{"cache: { ttl: '0' }", true},
		{"cache: { ttl: 1d }", false},
		{"cache: { ttl: '5' }", false},
		{"cache: [1]", false},
		{"cach: { memory: 0 }", false},
		{"cache: { memry: 0 }", false},
		{"log: { level: debug, format: json, access: true }", true},
		{"log: { level: loud }", false},
		{"log: { level: '' }", false},
		{"log: { access: sometimes }", false},
		{"hosts: { h.test: { serve: s3 } }", true},
		{"hosts: { h.test: { serve: ftp } }", false},
		{"hosts: { h.test: { bucket: mastodata } }", false},
		{"hosts: { h.test: { serve: public, bucket: mastodata, purge: { secrets: x } } }", false},
		{"hosts: { h.test: { serve: public, paths: { /a/: mastodata }, headers: { A: b, C: '' } } }", true},
		{"migration: { backfill: { workers: 4, order: [ { prefix: a }, { prefix: b, mode: skip } ] } }", true},
		{"migration: { backfill: { order: [ { mode: later } ] } }", false},
		{"migration: { backfill: { workers: many } }", false},
		{"migration: { backfill: { workers: -4 } }", false},
		{"migration: { backfill: { throttle: { requests: 0.5, error_rate: 1, windows: ['22:00-06:00'] } } }", true},
		{"migration: { mirror: { on_secondary_error: fail, reads: primary, max_pending: 5000 } }", true},
		{"migration: { mirror: { reads: both } }", false},
		{"limits: { requests: many }", false},
		{"trusted_proxies: [10.0.0.0/8]", true},
		{"version2_signatures: false", true},
		{strings.Replace(base, "https://a.test\"", "https://a.test\", acls: sluice, addressing: virtual, max_connections: 5", 1), true},
		{strings.Replace(base, "https://a.test\"", "https://a.test\", acls: nobody", 1), false},
		{strings.Replace(base, "endpoint: \"https://a.test\",", "", 1), false},
		{strings.Replace(base, "old: a, ", "", 1), false},
		{strings.Replace(base, "access_key_id: k, secret_access_key: s } ]", "access_key_id: k, secret_access_key: s, expires: 2030-01-31T12:00:00Z, prefixes: [a/] } ]", 1), true},
	} {
		text := c.text
		if !strings.Contains(text, "stores:") {
			text += base
		}
		_, err := config.Parse([]byte(text), "", func(string) (string, bool) { return "", false })
		if (err == nil) != c.good {
			t.Errorf("Parse says %v of %s", err, c.text)
		}
		if err := s.Validate(decode(t, text)); (err == nil) != c.good {
			t.Errorf("the schema says %v of %s", err, c.text)
		}
	}
}

// TestSchemaTakesWhatInitWrites, too.
func TestSchemaTakesWhatInitWrites(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob("../setup/testdata/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(decode(t, string(raw))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
