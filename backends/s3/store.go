// Package s3 is a store over the S3 protocol.
//
// Requests are built on net/http; credentials come from minio-go. Its client is not
// used: it retries mutations and rewrites headers, and a mutation that is retried after
// an unknown outcome lets the first attempt land after a later delete. Here nothing is
// ever sent twice, except by net/http, which repeats a request only when no byte of it
// was written or when it is a read, and by the pool that reads go through.
package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"sluice/backends"
	"sluice/backends/socket"
)

// Config says where a store is and how to reach it.
type Config struct {
	Name     string // in errors and logs
	Endpoint string // http(s)://host[:port]
	Region   string // "": asked of Amazon, else us-east-1
	Bucket   string

	// Static keys. Without them the keys are looked for in the environment
	// (AWS_*, MINIO_*), in a shared credentials file, and at the instance's
	// metadata service, in this order.
	AccessKeyID, SecretAccessKey, SessionToken string
	SharedCredentialsFile, Profile             string

	VirtualHost bool   // bucket.host/key instead of host/bucket/key
	CAFile      string // further trusted roots, PEM
	MaxConns    int    // idle connections kept, of reads and of the rest each; 0 means 128
	// Stall is how long a connection with a request on it may carry no byte in
	// either direction; 0 means 5 minutes.
	Stall time.Duration

	Transport http.RoundTripper // in place of a pool of its own
	// Observe is told how long the store took to answer a request that had no body, and
	// of every failure; nil: nobody wants to know.
	Observe func(took time.Duration, err error)
	// Trace is told of a request before it is sent, and answers what is called at its end,
	// or nil; nil: nobody looks.
	Trace func(ctx context.Context, op string) (end func(err error))
}

// Store is a bucket of an S3 service.
type Store struct {
	name, bucket string
	endpoint     *url.URL
	client       *atomic.Pointer[client] // shared by all that WithBucket answers
	onlyV1       *atomic.Bool            // the service was seen not to know ListObjectsV2
	observe      func(took time.Duration, err error)
	trace        func(ctx context.Context, op string) (end func(err error))
}

// client is how a service is talked to. A request uses one from its beginning to its end.
type client struct {
	region      string
	virtualHost bool
	keys        *credentials.Credentials
	asking      *credentials.CredContext // how they are asked for
	signature   *signature4
	transport   http.RoundTripper
	reads       *pool // for what changes nothing; nil: transport
}

var _ backends.Store = (*Store)(nil)

// New makes a store. It asks the network only where the region or the keys have
// to be found out.
func New(ctx context.Context, c Config) (*Store, error) {
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || endpoint.Host == "" {
		return nil, fmt.Errorf("store %s: endpoint %q is not a URL like https://s3.example.com", c.Name, c.Endpoint)
	}
	s := &Store{
		name: c.Name, bucket: c.Bucket, endpoint: endpoint,
		client: new(atomic.Pointer[client]), onlyV1: new(atomic.Bool), observe: c.Observe, trace: c.Trace,
	}
	by := client{region: c.Region, virtualHost: c.VirtualHost, transport: c.Transport, signature: new(signature4)}
	if by.transport == nil {
		t, err := NewTransport(c)
		if err != nil {
			return nil, fmt.Errorf("store %s: %w", c.Name, err)
		}
		if by.transport = t; socket.Cheaper {
			by.reads = newPool(t)
		}
	}
	by.keys = newCredentials(c, by.transport)
	by.asking = &credentials.CredContext{Client: &http.Client{Transport: by.transport}, Endpoint: s.endpoint.String()}
	if by.region == "" {
		if by.region, err = s.findRegion(ctx, by); err != nil {
			s.Close()
			return nil, err
		}
	}
	s.client.Store(&by)
	return s, nil
}

// Become talks to the service from now on as other does, with its keys and its connections;
// so does every store that WithBucket made of this one. Requests under way end as they
// began, and their connections with them.
func (s *Store) Become(other *Store) {
	s.client.Swap(other.client.Load()).close()
}

func newCredentials(c Config, transport http.RoundTripper) *credentials.Credentials {
	if c.AccessKeyID != "" {
		return credentials.NewStaticV4(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	}
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{},
		&credentials.EnvMinio{},
		&credentials.FileAWSCredentials{Filename: c.SharedCredentialsFile, Profile: c.Profile},
		&credentials.IAM{Client: &http.Client{Transport: transport, Timeout: 5 * time.Second}},
	})
}

// NewTransport is a pool of connections sized to the work. HTTP/1.1 only: over
// HTTP/2 all requests would share one connection and its flow control, and a
// request could not be abandoned by closing its connection.
func NewTransport(c Config) (*http.Transport, error) {
	conns := c.MaxConns
	if conns == 0 {
		conns = 128
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s holds no certificate", c.CAFile)
		}
	}
	stall := c.Stall
	if stall == 0 {
		stall = 5 * time.Minute
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newLivelyConn(socket.Wrap(conn), stall), nil
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        conns,
		MaxIdleConnsPerHost: conns,
		// Shorter than servers wait, so that a PUT rarely meets a connection
		// that the server is just closing: that would be an unknown outcome.
		IdleConnTimeout:    min(15*time.Second, stall/2),
		DisableCompression: true, // bodies are passed on as they are
		WriteBufferSize:    64 << 10,
		ReadBufferSize:     32 << 10,
	}, nil
}

// findRegion asks an Amazon endpoint for the bucket's region; other services
// take any.
func (s *Store) findRegion(ctx context.Context, by client) (string, error) {
	by.region = "us-east-1"
	s.client.Store(&by)
	if named := s3utils.GetRegionFromURL(*s.endpoint); named != "" {
		return named, nil
	}
	if !s3utils.IsAmazonEndpoint(*s.endpoint) {
		return by.region, nil
	}
	var location struct {
		Name string `xml:",chardata"`
	}
	err := s.doXML(ctx, &request{op: "GetBucketLocation", method: http.MethodGet, query: url.Values{"location": {""}}},
		"LocationConstraint", &location)
	switch {
	case err != nil:
		return "", fmt.Errorf("finding the bucket's region (set it in the configuration instead): %w", err)
	case location.Name == "EU":
		return "eu-west-1", nil
	case location.Name != "":
		return strings.TrimSpace(location.Name), nil
	}
	return by.region, nil
}

// WithBucket is the store with another bucket of the same service. It shares the
// connections, the keys and what is known of the service.
func (s *Store) WithBucket(name string) *Store {
	other := *s
	other.bucket = name
	return &other
}

// ListsToAnyone tells whether the bucket's keys are listed to a stranger, who signs
// nothing.
func (s *Store) ListsToAnyone(ctx context.Context) (bool, error) {
	by := *s.client.Load()
	by.keys = credentials.NewStaticV4("", "", "")
	stranger := *s
	stranger.observe = nil // to be refused is no fault of the store's
	stranger.client = new(atomic.Pointer[client])
	stranger.client.Store(&by)
	_, err := stranger.List(ctx, backends.ListRequest{MaxKeys: 1})
	if backends.Unsupported(err) { // what is not signed is no request at all for some
		return false, nil
	}
	return err == nil, err
}

// Name is the store's name in the configuration.
func (s *Store) Name() string { return s.name }

// Close drops the idle connections.
func (s *Store) Close() { s.client.Load().close() }

func (c *client) close() {
	if t, ok := c.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
	if c.reads != nil {
		c.reads.CloseIdleConnections()
	}
}
