package setup

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/joho/godotenv"
)

// mastodon is what a Mastodon's settings say beside the answers.
type mastodon struct {
	settings                 map[string]string
	domain                   string
	keyPrefix                string // before every key, with a slash at the end
	purgeHeader, purgeSecret string
}

// Mastodon takes from a Mastodon's .env.production what was not answered before. Notes
// are for people. Neither they nor errors hold a secret.
func (a *Answers) Mastodon(raw []byte) (notes []string, err error) {
	env, err := godotenv.UnmarshalBytes(raw)
	if err != nil {
		return nil, fmt.Errorf("line %d is no setting: NAME=VALUE", badLine(raw)) // the library's words quote the file
	}
	for _, name := range used {
		if err := checkText(env[name]); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
	}
	switch {
	case env["SWIFT_ENABLED"] == "true" && env["S3_ENABLED"] != "true":
		return nil, fmt.Errorf("this Mastodon keeps its media in OpenStack Swift; Sluice moves between S3 stores")
	case env["S3_ENABLED"] != "true":
		return nil, fmt.Errorf("this Mastodon keeps its media on local disk (S3_ENABLED is not true), in %s; "+
			"Sluice moves between S3 stores, and has no store over a directory yet", cmp.Or(env["PAPERCLIP_ROOT_PATH"], "public/system"))
	}
	m := &mastodon{settings: env, domain: env["LOCAL_DOMAIN"]}
	a.mastodon = m
	a.takeStore(env)
	notes = append(a.takePublicHost(env), a.takePermission(env)...)
	notes = append(notes, m.takePurge(env)...)
	if prefix := strings.Trim(env["S3_KEY_PREFIX"], "/"); prefix != "" {
		m.keyPrefix = prefix + "/"
		notes = append(notes, "S3_KEY_PREFIX stays: keys go to both stores as Mastodon names them")
	}
	for _, s := range doubtful.FindAllSubmatch(raw, -1) {
		notes = append(notes, fmt.Sprintf("%s has a $ or # and no single quotes; it is read here as Ruby's dotenv does, which need not be as Docker does: "+
			"compare what sluice doctor says of the key pair", s[1]))
	}
	return notes, nil
}

// used are the settings that go into the configuration.
var used = []string{
	"S3_ENDPOINT", "S3_HOSTNAME", "S3_PROTOCOL", "S3_REGION", "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"S3_ALIAS_HOST", "S3_CLOUDFRONT_HOST", "S3_KEY_PREFIX", "CACHE_BUSTER_SECRET", "CACHE_BUSTER_SECRET_HEADER",
	"CACHE_BUSTER_HTTP_METHOD", "PAPERCLIP_ROOT_PATH",
}

// doubtful are secrets that dotenv's readers do not agree about.
var doubtful = regexp.MustCompile(`(?m)^\s*(?:export\s+)?(AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|CACHE_BUSTER_SECRET)\s*=\s*(?:"[^"\n]*\$|[^'"\s#][^'"\s]*[#$]|\$)`)

// badLine is the first line that is no setting by itself.
func badLine(raw []byte) int {
	n := 0
	for line := range bytes.Lines(raw) {
		n++
		if _, err := godotenv.UnmarshalBytes(line); err != nil {
			break
		}
	}
	return n
}

func (a *Answers) takeStore(env map[string]string) {
	old := &a.Old
	endpoint := env["S3_ENDPOINT"]
	old.Region = cmp.Or(old.Region, env["S3_REGION"], "us-east-1")
	switch {
	case endpoint == "": // Amazon's, as its SDK finds it by the region
		endpoint = "https://s3." + old.Region + ".amazonaws.com"
	case !strings.Contains(endpoint, "://"):
		endpoint = cmp.Or(env["S3_PROTOCOL"], "https") + "://" + endpoint
	}
	old.Endpoint = cmp.Or(old.Endpoint, endpoint)
	old.Bucket = cmp.Or(old.Bucket, env["S3_BUCKET"])
	old.AccessKeyID = cmp.Or(old.AccessKeyID, env["AWS_ACCESS_KEY_ID"])
	old.Secret = cmp.Or(old.Secret, env["AWS_SECRET_ACCESS_KEY"])
	if env["S3_OVERRIDE_PATH_STYLE"] == "true" {
		old.addressing = "virtual"
	}
	a.Bucket = cmp.Or(a.Bucket, env["S3_BUCKET"])
}

// takePublicHost finds the name that published URLs have.
func (a *Answers) takePublicHost(env map[string]string) []string {
	if a.PublicHost = cmp.Or(a.PublicHost, env["S3_ALIAS_HOST"], env["S3_CLOUDFRONT_HOST"]); a.PublicHost != "" {
		return nil
	}
	host := cmp.Or(env["S3_HOSTNAME"], "s3-"+cmp.Or(env["S3_REGION"], "us-east-1")+".amazonaws.com")
	return []string{fmt.Sprintf("without S3_ALIAS_HOST the media that was published is at %s://%s/%s/…, for ever. If that name is yours, "+
		"answer %[2]s/%[3]s as the public host, and point it at Sluice; if it is the provider's, those URLs end with the old bucket: "+
		"set S3_ALIAS_HOST to a name of yours now, and keep the old bucket readable", cmp.Or(env["S3_PROTOCOL"], "https"), host, env["S3_BUCKET"])}
}

func (a *Answers) takePermission(env map[string]string) []string {
	switch permission, set := env["S3_PERMISSION"]; {
	case set && permission == "":
		a.Old.acls, a.New.acls = "sluice", "sluice"
	case permission == "private":
		return []string{"S3_PERMISSION=private: Sluice's public host shows no private object; whatever signs the reads today must go on doing so"}
	}
	return nil
}

func (m *mastodon) takePurge(env map[string]string) []string {
	if env["CACHE_BUSTER_ENABLED"] != "true" {
		return nil
	}
	m.purgeHeader, m.purgeSecret = env["CACHE_BUSTER_SECRET_HEADER"], env["CACHE_BUSTER_SECRET"]
	if m.purgeSecret == "" {
		return []string{"CACHE_BUSTER_ENABLED without CACHE_BUSTER_SECRET: Sluice takes purges with a secret only, and needs none for what goes through it"}
	}
	if method := env["CACHE_BUSTER_HTTP_METHOD"]; method != "" && !strings.EqualFold(method, "GET") && !strings.EqualFold(method, "PURGE") {
		return []string{fmt.Sprintf("CACHE_BUSTER_HTTP_METHOD=%s: Sluice takes GET and PURGE", method)}
	}
	return nil
}

// renderOrder writes what is copied first: what nobody else has.
func (m *mastodon) renderOrder(p *page) {
	p.line("\nmigration:")
	p.line("  backfill:")
	p.line("    order: # what has no rule comes last")
	for _, prefix := range []string{"media_attachments/", "accounts/", "custom_emojis/", "site_uploads/"} {
		p.line("      - { prefix: %s }", quote(m.keyPrefix+prefix))
	}
	p.line("      # Copies of other servers' media, which Mastodon can fetch again. lazy: copied when it is read.")
	p.line("      # `sluice complete` wants it to be copy (all of it comes along) or skip (it is given up with old).")
	p.line("      - { prefix: %s, mode: lazy }", quote(m.keyPrefix+"cache/"))
	p.line("    # throttle: { bandwidth: 50MiB, old_latency_p95: 500ms, windows: [\"22:00-06:00\"] }")
}
