package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// resolver finds what a configuration refers to.
type resolver struct {
	dir string // of the configuration
	env func(string) (string, bool)
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand puts in the environment's values. path is the setting's, for errors.
func (r resolver) expand(path string, value *string) error {
	var missing string
	*value = variable.ReplaceAllStringFunc(*value, func(ref string) string {
		name := ref[2 : len(ref)-1]
		v, ok := r.env(name)
		if !ok {
			missing = name
		}
		return v
	})
	if missing != "" {
		return fmt.Errorf("%s: the environment variable %s is not set", path, missing)
	}
	return nil
}

// file makes a setting the path of a file. A relative one is of the configuration's
// directory. Where systemd passes credentials those come first, by the names that
// LoadCredential=secrets:/etc/sluice/secrets gives the files of a directory: secrets/old is
// secrets_old. So one configuration serves the service, which may read nothing else, and who
// runs a command beside it.
func (r resolver) file(path string, value *string) error {
	if err := r.expand(path, value); err != nil || *value == "" || filepath.IsAbs(*value) {
		return err
	}
	if passed, ok := r.env("CREDENTIALS_DIRECTORY"); ok {
		name := filepath.Join(passed, strings.ReplaceAll(filepath.ToSlash(*value), "/", "_"))
		if _, err := os.Stat(name); err == nil {
			*value = name
			return nil
		}
	}
	*value = filepath.Join(r.dir, *value)
	return nil
}

// secret reads a setting from a file, if one is named.
func (r resolver) secret(path string, value *string, file string) error {
	if file == "" {
		return nil
	}
	if *value != "" {
		return fmt.Errorf("%s: give the secret or its file, not both", path)
	}
	if err := r.file(path+"_file", &file); err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s_file: %w", path, err)
	}
	*value = strings.TrimSpace(string(raw))
	return nil
}

// resolve puts in the environment's values and the secrets from files.
func (c *Config) resolve(r resolver) error {
	for name, s := range c.Stores {
		path := "stores." + name
		for field, value := range map[string]*string{
			"endpoint": &s.Endpoint, "bucket": &s.Bucket, "access_key_id": &s.AccessKeyID,
			"secret_access_key": &s.SecretAccessKey, "session_token": &s.SessionToken,
		} {
			if err := r.expand(path+"."+field, value); err != nil {
				return err
			}
		}
		for field, value := range map[string]*string{"credentials_file": &s.CredentialsFile, "ca_file": &s.CAFile} {
			if err := r.file(path+"."+field, value); err != nil {
				return err
			}
		}
		if err := r.secret(path+".secret_access_key", &s.SecretAccessKey, s.SecretFile); err != nil {
			return err
		}
		c.Stores[name] = s
	}
	for name, h := range c.Hosts {
		path := "hosts." + name + ".purge.secret"
		if err := r.expand(path, &h.Purge.Secret); err != nil {
			return err
		}
		if err := r.secret(path, &h.Purge.Secret, h.Purge.SecretFile); err != nil {
			return err
		}
		c.Hosts[name] = h
	}
	if err := c.TLS.resolve(r); err != nil {
		return err
	}
	if err := c.Notify.resolve(r); err != nil {
		return err
	}
	for i := range c.Credentials {
		k := &c.Credentials[i]
		path := fmt.Sprintf("credentials[%d]", i)
		if err := r.expand(path+".access_key_id", &k.AccessKeyID); err != nil {
			return err
		}
		if err := r.expand(path+".secret_access_key", &k.SecretAccessKey); err != nil {
			return err
		}
		if err := r.secret(path+".secret_access_key", &k.SecretAccessKey, k.SecretFile); err != nil {
			return err
		}
	}
	return nil
}
