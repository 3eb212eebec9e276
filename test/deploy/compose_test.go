package deploy

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads compose files with the settings of .env.example.
func compose(t *testing.T, files ...string) *types.Project {
	t.Helper()
	dir := filepath.Join(root, "deploy/compose")
	o, err := cli.NewProjectOptions(files,
		cli.WithWorkingDirectory(dir), cli.WithName("media"), cli.WithEnvFiles(filepath.Join(dir, ".env.example")), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	project, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// TestCompose: the file is good, and its gateway has all that its configuration asks for, and
// the time to finish uploads.
func TestCompose(t *testing.T) {
	file := filepath.Join(root, "deploy/compose/sluice.yaml")
	sluice, err := compose(t, filepath.Join(root, "deploy/compose/compose.yaml")).GetService("sluice")
	if err != nil {
		t.Fatal(err)
	}
	env := make(map[string]string)
	for name, value := range sluice.Environment {
		if value == nil || *value == "" {
			t.Errorf("%s has no value in .env.example", name)
			continue
		}
		env[name] = *value
	}
	c := effective(t, file, env)
	drain, err := time.ParseDuration(c.Limits.Drain)
	if err != nil || sluice.StopGracePeriod == nil || time.Duration(*sluice.StopGracePeriod) <= drain {
		t.Errorf("it is killed after %v, and drains for %v, %v", sluice.StopGracePeriod, drain, err)
	}
	if asked := references(string(read(t, "deploy/compose/sluice.yaml"))); len(asked) != len(env) {
		t.Errorf("the configuration asks for %v, and is given %v", asked, env)
	}
	if !slices.ContainsFunc(sluice.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == c.StateDir && v.Type == "volume" }) {
		t.Errorf("%s is on none of the volumes %v", c.StateDir, sluice.Volumes)
	}
	if c.Listen["http"] != ":9000" || len(sluice.Ports) != 1 || sluice.Ports[0].Target != 9000 || sluice.Ports[0].HostIP != "127.0.0.1" {
		t.Errorf("it listens on %v, and %v is published", c.Listen, sluice.Ports)
	}
}

// TestComposeWithMastodon: merged with Mastodon's own file, its services use the gateway.
func TestComposeWithMastodon(t *testing.T) {
	dir := filepath.Join(root, "deploy/compose")
	p := compose(t, "testdata/docker-compose.yml", filepath.Join(dir, "compose.yaml"), filepath.Join(dir, "mastodon.yaml"))
	gateway, err := p.GetService("sluice")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "sidekiq"} {
		s, err := p.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		for setting, want := range map[string]string{
			"S3_ENABLED": "true", "S3_BUCKET": "mastodata", "S3_ENDPOINT": "https://s3.example.social", "S3_ALIAS_HOST": "files.example.social",
			"AWS_SECRET_ACCESS_KEY": *gateway.Environment["AWS_SECRET_ACCESS_KEY"],
		} {
			if got := s.Environment[setting]; got == nil || *got != want {
				t.Errorf("%s has %s = %v, not %q", name, setting, got, want)
			}
		}
		if s.Image == "" || s.Environment["RAILS_ENV"] == nil {
			t.Errorf("%s has lost what it had: %v", name, s)
		}
	}
}
