package config

import "sluice/backends/s3"

// S3 says how the store of this name is reached.
func (s Store) S3(name string) s3.Config {
	return s3.Config{
		Name: name, Endpoint: s.Endpoint, Region: s.Region, Bucket: s.Bucket,
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken,
		SharedCredentialsFile: s.CredentialsFile, Profile: s.Profile,
		VirtualHost: s.Addressing == "virtual", CAFile: s.CAFile, MaxConns: s.MaxConnections,
	}
}
