package setup

import (
	"encoding/json"
	"fmt"
	"strings"

	"sluice/tls"
)

// Secret is a value that stands in no configuration.
type Secret struct {
	Name     string // old, new, application or purge
	Variable string // the environment variable that has it, where no file does
	Value    string
}

// Secrets are those that the configuration refers to.
func (a *Answers) Secrets() []Secret {
	list := []Secret{
		{"old", "SLUICE_OLD_SECRET", a.Old.Secret},
		{"new", "SLUICE_NEW_SECRET", a.New.Secret},
		{"application", "SLUICE_APPLICATION_SECRET", a.Old.Secret},
	}
	if a.purges() {
		list = append(list, Secret{"purge", "SLUICE_PURGE_SECRET", a.mastodon.purgeSecret})
	}
	return list
}

// purges tells whether the application may drop what is cached of the public host.
func (a *Answers) purges() bool {
	return a.mastodon != nil && a.mastodon.purgeSecret != "" && a.PublicHost != ""
}

// File is where the secret of a configuration is, from its directory.
func (s Secret) File() string { return "secrets/" + s.Name }

// quote makes a value a YAML scalar that is that value, whatever is in it: a string of
// JSON is one of YAML.
func quote(v string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a string, into memory
	return strings.TrimSpace(b.String())
}

// page is a configuration that is being written.
type page struct {
	strings.Builder
	secrets map[string]Secret
	file    string // "": secrets come from the environment
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// value writes a setting, unless it is left to its default.
func (p *page) value(indent, key, v string) {
	if v != "" {
		p.line("%s%s: %s", indent, key, quote(v))
	}
}

// secret writes where a secret is.
func (p *page) secret(indent, key, name string) {
	if s := p.secrets[name]; p.file == "" {
		p.line(`%s%s: "${%s}"`, indent, key, s.Variable)
	} else {
		p.value(indent, key+"_file", s.File())
	}
}

// Render is the configuration. Its secrets are in files beside it, or, for a file "", in
// the environment.
func (a *Answers) Render(file string) string {
	p := &page{file: file, secrets: make(map[string]Secret)}
	for _, s := range a.Secrets() {
		p.secrets[s.Name] = s
	}
	if m := a.mastodon; m != nil && hostName.MatchString(m.domain) {
		p.line("# Sluice for the Mastodon at %s.", m.domain)
	}
	p.line("# docs/config.md has every setting. After a change: sluice config validate\n")
	p.line("# What must survive: the journal of writes that are not on both stores yet, and where the")
	p.line("# migration stands. On a disk, not in memory; never restored from a backup while mirroring.")
	p.value("", "state_dir", a.StateDir)
	a.renderListen(p)
	p.line("\nstores: # the names are yours to choose; status and messages show them")
	p.line("  old: # where the objects are")
	a.Old.render(p, "old")
	p.line("  new: # where they go to")
	a.New.render(p, "new")
	p.line("\nbuckets:")
	p.line("  # The name that the application uses. Nothing goes to new before: sluice start")
	p.line("  %s: { old: old, new: new }", quote(a.Bucket))
	p.line("\ncredentials:")
	p.line("  # What the application signs with: the pair it had for the old store, so that it need")
	p.line("  # not be changed. A pair can be limited to prefixes, or to reading.")
	p.line("  - access_key_id: %s", quote(a.Old.AccessKeyID))
	p.secret("    ", "secret_access_key", "application")
	p.line("    buckets: [%s]", quote(a.Bucket))
	a.renderHosts(p)
	if a.behindProxy() {
		p.line("\n# The proxy in front, whose X-Forwarded-For, -Proto and -Host are believed.")
		p.line(`trusted_proxies: ["127.0.0.1", "::1"]`)
	}
	p.line("\ncache:")
	p.line("  memory: 256MiB")
	p.line("  # disk: 50GiB # keeps more, and over restarts; in state_dir unless directory says where")
	if a.mastodon != nil {
		a.mastodon.renderOrder(p)
	} else {
		p.line("\n# migration:")
		p.line("#   backfill:")
		p.line("#     order: [ { prefix: important/ }, { prefix: thumbnails/, mode: lazy } ]")
		p.line("#     throttle: { bandwidth: 50MiB, old_latency_p95: 500ms }")
	}
	p.line("\n# notify:")
	p.line(`#   urls: ["ntfy://ntfy.sh/TOPIC"] # who is told when a store is away, or a certificate can not be had`)
	return p.String()
}

func (a *Answers) renderListen(p *page) {
	http, https := a.listen()
	p.line("\nlisten:")
	p.value("  ", "http", http)
	p.value("  ", "https", https)
	p.line("  admin: \"127.0.0.1:9180\" # for operators: metrics, health, and with a token all that the commands do")
	if a.TLS == tls.Auto {
		p.line("\ntls:")
		p.line("  mode: auto # certificates from Let's Encrypt, whose terms you agree to by this")
		p.value("  ", "email", a.Email)
	}
}

func (s *Store) render(p *page, name string) {
	const indent = "    "
	p.value(indent, "endpoint", s.Endpoint)
	p.value(indent, "region", s.Region)
	p.value(indent, "bucket", s.Bucket)
	p.value(indent, "access_key_id", s.AccessKeyID)
	p.secret(indent, "secret_access_key", name)
	p.value(indent, "addressing", s.addressing)
	if s.acls != "" {
		p.line("    acls: %s # objects are written without an ACL: Sluice keeps those that are set later", s.acls)
	}
}

func (a *Answers) renderHosts(p *page) {
	s3 := a.secureHost()
	if s3 == "" && a.PublicHost == "" {
		return
	}
	p.line("\nhosts: # any other name serves S3")
	if s3 != "" {
		p.line("  %s: { serve: s3 } # the application's endpoint", quote(s3))
	}
	if a.PublicHost == "" {
		return
	}
	name, path := a.publicHost()
	p.line("  %s: # everybody reads here what is not private; there are no listings", quote(name))
	p.line("    serve: public")
	if path == "/" {
		p.line("    bucket: %s", quote(a.Bucket))
	} else {
		p.line("    paths: { %s: %s }", quote(path), quote(a.Bucket))
	}
	if a.purges() {
		p.line("    purge: # with CACHE_BUSTER_SECRET; what goes through Sluice is purged without being asked")
		p.value("      ", "header", a.mastodon.purgeHeader)
		p.secret("      ", "secret", "purge")
	}
}
