package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"sluice/tls"
)

// TLS says where certificates come from.
type TLS struct {
	// `auto`: from a CA, by themselves, for every name under `hosts` and in `names`, and for
	// BUCKET.NAME where a client asks for it. `files`: from `cert_file` and `key_file`, read
	// anew when they change. `internal`: from a CA made in `state_dir`, for trying things
	// out. `off`: a proxy in front has them.
	Mode string `yaml:"mode" enum:"auto,files,internal,off"`
	// Of mode `files`: the certificate with its chain, PEM.
	CertFile string `yaml:"cert_file"`
	// Of mode `files`: its key, PEM.
	KeyFile string `yaml:"key_file"`
	// Of modes `auto` and `internal`: names beside those of `hosts`.
	Names []string `yaml:"names" example:"[s3.example.social, '*.s3.example.social']"`
	// Of mode `auto`: the CA's way to reach you.
	Email string `yaml:"email" example:"admin@example.social"`
	// Of mode `auto`: the CA; Let's Encrypt by default.
	ACME ACME `yaml:"acme"`
	// Of mode `auto`: the provider of the DNS challenge, which wildcards need, with its own
	// settings; `SETTING_file` stands in for a setting, as for secrets. `cloudflare` and
	// `hetzner`: `api_token`. `rfc2136`: `server`, `key_name`, `key_alg`, `key`. Beside them
	// `resolvers`,
	// a list with commas, are asked whether a challenge is to be seen.
	DNS map[string]string `yaml:"dns" example:"{ provider: hetzner, api_token_file: /run/secrets/dns }"`
	// Where https is listened on: browsers are sent there from http, and signed requests
	// by http are refused.
	Redirect bool `yaml:"redirect"`
	// How long browsers remember to come by https alone; 0: they are not told to.
	HSTS Duration `yaml:"hsts" example:"8760h"`
}

// ACME is the CA that certificates come from; Let's Encrypt by default.
type ACME struct {
	// Its directory's URL.
	Directory string `yaml:"directory" example:"https://ca.example.com/dir"`
	// A PEM file with further roots that the CA itself is trusted by.
	CAFile string `yaml:"ca_file"`
	// Binds to an account at a CA that wants one.
	EAB EAB `yaml:"eab"`
}

// EAB binds to an account at a CA that wants one.
type EAB struct {
	// The account's id.
	KeyID string `yaml:"key_id"`
	// The account's key.
	Key string `yaml:"key" example:"${EAB_KEY}"`
	// A file that holds it instead.
	KeyFile string `yaml:"key_file"`
}

// resolve puts in the environment's values and the secrets from files.
func (t *TLS) resolve(r resolver) error {
	for path, value := range map[string]*string{
		"tls.cert_file": &t.CertFile, "tls.key_file": &t.KeyFile, "tls.acme.ca_file": &t.ACME.CAFile,
	} {
		if err := r.file(path, value); err != nil {
			return err
		}
	}
	for path, value := range map[string]*string{
		"tls.email": &t.Email, "tls.acme.eab.key_id": &t.ACME.EAB.KeyID, "tls.acme.eab.key": &t.ACME.EAB.Key,
	} {
		if err := r.expand(path, value); err != nil {
			return err
		}
	}
	if err := r.secret("tls.acme.eab.key", &t.ACME.EAB.Key, t.ACME.EAB.KeyFile); err != nil {
		return err
	}
	resolved := make(map[string]string, len(t.DNS))
	for field, value := range t.DNS {
		file := ""
		setting, isFile := strings.CutSuffix(field, "_file")
		if isFile {
			value, file = t.DNS[setting], value
		}
		path := "tls.dns." + setting
		if err := r.expand(path, &value); err != nil {
			return err
		}
		if err := r.secret(path, &value, file); err != nil {
			return err
		}
		if isFile || t.DNS[field+"_file"] == "" {
			resolved[setting] = value
		}
	}
	t.DNS = resolved
	return nil
}

var hostName = regexp.MustCompile(`^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

func (c *Config) checkTLS(bad func(path, format string, args ...any)) {
	t := c.TLS
	managed := t.Mode == tls.Auto || t.Mode == tls.Internal
	switch {
	case c.Listen.HTTPS != "" && t.Mode == tls.Off:
		bad("listen.https", "needs tls.mode: auto, internal, or files with cert_file and key_file")
	case c.Listen.HTTPS != "" && t.Mode == tls.Files && (t.CertFile == "" || t.KeyFile == ""):
		bad("tls", "mode files needs cert_file and key_file")
	case c.Listen.HTTPS == "" && managed:
		bad("tls.mode", "%s needs an https address under listen", t.Mode)
	case t.Mode == tls.Auto && len(c.Hosts)+len(t.Names) == 0:
		bad("tls.mode", "auto gets certificates for names: say which under hosts, or in tls.names")
	}
	for i, name := range t.Names {
		if !hostName.MatchString(name) {
			bad(fmt.Sprintf("tls.names[%d]", i), "%q is not a host name in small letters", name)
		} else if strings.HasPrefix(name, "*.") && t.Mode == tls.Auto && len(t.DNS) == 0 {
			bad(fmt.Sprintf("tls.names[%d]", i), "CAs give a certificate for %q to who proves it in the DNS: set tls.dns", name)
		}
	}
	if len(t.DNS) > 0 {
		if err := tls.CheckDNS(t.DNS); err != nil {
			for line := range strings.Lines(err.Error()) {
				bad("tls.dns", "%s", strings.TrimSpace(line))
			}
		}
	}
	if u, err := url.Parse(t.ACME.Directory); t.ACME.Directory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		bad("tls.acme.directory", "%q is not an https URL", t.ACME.Directory)
	}
	if (t.ACME.EAB.KeyID == "") != (t.ACME.EAB.Key == "") {
		bad("tls.acme.eab", "key_id and key go together")
	}
	if t.HSTS < 0 {
		bad("tls.hsts", "must not be negative")
	}
}
