package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"sluice/tls"
)

// TLS says where certificates come from.
type TLS struct {
	Mode string `yaml:"mode"` // "auto", "files", "internal" or "off"

	// Of mode files:

	CertFile string `yaml:"cert_file"` // PEM, chain included
	KeyFile  string `yaml:"key_file"`

	// Of modes auto and internal:

	Names []string `yaml:"names"` // beside those of hosts

	// Of mode auto:

	Email string `yaml:"email"` // the CA's way to reach the operator
	ACME  ACME   `yaml:"acme"`
	// DNS names the provider of the DNS challenge, which wildcards need, and has its
	// settings, for which ${NAME} and SETTING_file stand in as for secrets.
	DNS map[string]string `yaml:"dns"`

	// Redirect sends browsers from http to https, and refuses signed requests by http;
	// where https is listened on.
	Redirect bool     `yaml:"redirect"`
	HSTS     Duration `yaml:"hsts"` // how long browsers remember to come by https alone
}

// ACME is the CA that certificates come from; Let's Encrypt by default.
type ACME struct {
	Directory string `yaml:"directory"` // its URL
	CAFile    string `yaml:"ca_file"`   // further roots that the CA itself is trusted by, PEM
	EAB       EAB    `yaml:"eab"`
}

// EAB binds to an account at a CA that wants one.
type EAB struct {
	KeyID   string `yaml:"key_id"`
	Key     string `yaml:"key"`
	KeyFile string `yaml:"key_file"`
}

// resolve puts in the environment's values and the secrets from files.
func (t *TLS) resolve(expand func(path string, value *string) error, secret func(path string, value *string, file string) error) error {
	for path, value := range map[string]*string{
		"tls.cert_file": &t.CertFile, "tls.key_file": &t.KeyFile, "tls.acme.ca_file": &t.ACME.CAFile,
		"tls.email": &t.Email, "tls.acme.eab.key_id": &t.ACME.EAB.KeyID, "tls.acme.eab.key": &t.ACME.EAB.Key,
	} {
		if err := expand(path, value); err != nil {
			return err
		}
	}
	if err := secret("tls.acme.eab.key", &t.ACME.EAB.Key, t.ACME.EAB.KeyFile); err != nil {
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
		if err := expand(path, &value); err != nil {
			return err
		}
		if err := secret(path, &value, file); err != nil {
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
	if !slices.Contains([]string{tls.Auto, tls.Files, tls.Internal, tls.Off}, t.Mode) {
		bad("tls.mode", "%q is not one of auto, files, internal, off", t.Mode)
	}
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
