// Package setup makes a first configuration: of answers, and of what a Mastodon's own
// settings say. It leaves nothing to be looked up before `sluice serve`, and a comment
// at everything that somebody may want to change.
package setup

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/gateway/config"
	"sluice/tls"
)

// Answers are what a first configuration is made of. What is empty is left to the
// configuration's defaults.
type Answers struct {
	Old, New Store
	// Bucket is the name that the application uses. It signs with the old store's key
	// pair, as it does today.
	Bucket string
	// Endpoint is the URL at which the application will reach Sluice.
	Endpoint string
	TLS      string // tls.Auto or tls.Off, where a proxy in front has the certificates
	Email    string // for the CA
	// PublicHost is the name under which everybody reads the objects, with the path
	// before their keys if there is one: "files.example.com/media". "" is none.
	PublicHost string
	StateDir   string

	mastodon *mastodon // nil for any other application
}

// Store is where the objects are, or go to.
type Store struct {
	Endpoint, Region, Bucket, AccessKeyID, Secret string

	addressing, acls string // as in the configuration
}

// publicHost is the public host's name, and the path before the keys: "/" or "/media/".
func (a *Answers) publicHost() (name, path string) {
	name, path, _ = strings.Cut(a.PublicHost, "/")
	if path = strings.Trim(path, "/"); path != "" {
		path += "/"
	}
	return strings.ToLower(name), "/" + path
}

// secureHost is the endpoint's name, if the application comes by https: it needs a
// certificate. "" for an endpoint by http.
func (a *Answers) secureHost() string {
	u, err := url.Parse(a.Endpoint)
	if err != nil || u.Scheme != "https" {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// behindProxy tells whether a proxy stands between Sluice and those who come by https.
func (a *Answers) behindProxy() bool {
	return a.TLS != tls.Auto && len(a.names()) > 0
}

// listen are the addresses that serve the endpoint.
func (a *Answers) listen() (http, https string) {
	u, err := url.Parse(a.Endpoint)
	if err != nil {
		return "", "" // checked with the answer
	}
	port := func(standard string) string {
		if u.Port() != "" {
			return ":" + u.Port()
		}
		return ":" + standard
	}
	switch host := u.Hostname(); {
	case a.TLS == tls.Auto:
		return ":80", port("443")
	case u.Scheme == "https":
		return proxied, ""
	case host == "localhost":
		return "127.0.0.1" + port("80"), ""
	case strings.HasPrefix(host, "127."):
		return host + port("80"), ""
	default:
		return port("80"), ""
	}
}

// proxied is where a proxy in front finds Sluice.
const proxied = "127.0.0.1:9000"

// providers are the hosts of services that have their region in the name.
var providers = regexp.MustCompile(`^(?:s3[.-])?([a-z0-9-]+)\.(?:amazonaws\.com|wasabisys\.com|backblazeb2\.com|scw\.cloud|` +
	`(?:io|perf)\.cloud\.ovh\.net|digitaloceanspaces\.com|your-objectstorage\.com|linodeobjects\.com)$`)

// region is what requests to an endpoint are signed for, as far as its name tells;
// most other services take us-east-1.
func region(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	if strings.HasSuffix(u.Hostname(), ".r2.cloudflarestorage.com") {
		return "auto"
	}
	if m := providers.FindStringSubmatch(u.Hostname()); m != nil && m[1] != "s3" {
		return m[1]
	}
	return "us-east-1"
}

// checkText refuses what the file can not hold as it is meant.
func checkText(v string) error {
	switch {
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
		return fmt.Errorf("has characters that can not be printed")
	case v != strings.TrimSpace(v):
		return fmt.Errorf("begins or ends with a space")
	}
	return nil
}

// checkValue is checkText for what is not a secret, in which ${NAME} has a meaning.
func checkValue(v string) error {
	if strings.Contains(v, "${") {
		return fmt.Errorf("has a ${…}, which would stand for an environment variable")
	}
	return checkText(v)
}

func checkEndpoint(v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("is not a URL that begins with https:// or http://")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return fmt.Errorf("is more than https://HOST or https://HOST:PORT; the bucket is a setting of its own")
	}
	return checkValue(v)
}

// checkOwnEndpoint refuses an address that a store has: a MinIO beside Sluice, or Sluice
// itself, where the application's settings lead to it already.
func (a *Answers) checkOwnEndpoint(v string) error {
	for _, s := range []Store{a.Old, a.New} {
		if strings.EqualFold(strings.TrimSuffix(s.Endpoint, "/"), strings.TrimSuffix(v, "/")) {
			return fmt.Errorf("is a store's: Sluice needs an address of its own; and if the application uses Sluice already, say where its store is with --old-endpoint")
		}
	}
	return checkEndpoint(v)
}

func checkPublicHost(v string) error {
	if name, _, _ := strings.Cut(v, "/"); !hostName.MatchString(name) {
		return fmt.Errorf("is not a host name, or one with a path, such as files.example.com or files.example.com/media")
	}
	return checkValue(v)
}

var hostName = regexp.MustCompile(`(?i)^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Check answers what the configuration of these answers would be refused for. The error
// holds no secret.
func (a *Answers) Check() error {
	env := make(map[string]string)
	for _, s := range a.Secrets() {
		env[s.Variable] = s.Value
	}
	_, err := config.Parse([]byte(a.Render("")), "", func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
	return err
}
