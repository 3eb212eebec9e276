package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"sluice/gateway/cache"
	"sluice/gateway/config"
	"sluice/gateway/doctor"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/notify"
	"sluice/tls"
)

// Error is the gateway's refusal or failure.
type Error struct {
	Kind    Kind            `json:"kind"`
	Message string          `json:"error"`
	Report  *migrate.Report `json:"report,omitempty"` // with the guards, where one refused
}

func (e *Error) Error() string { return e.Message }

// Kind tells errors apart.
type Kind string

// The kinds.
const (
	Refused     Kind = "guard"         // a guard refused
	WrongPhase  Kind = "wrong_phase"   // the command leads out of another phase
	NoBucket    Kind = "no_bucket"     // there is no such bucket
	Invalid     Kind = "invalid"       // the request makes no sense
	Unavailable Kind = "unavailable"   // a store can not be reached, or writes did not end in time
	BadConfig   Kind = "configuration" // it can not be reloaded; the one before stays in force
	Denied      Kind = "denied"        // the token is missing, or wrong
	Failed      Kind = "failed"        // anything else
)

// SocketName is the admin socket's name in the state directory.
const SocketName = "admin.sock"

// ErrUnreachable says that the gateway was not reached, or went away before it
// answered.
var ErrUnreachable = errors.New("the gateway does not answer (is it running, with this configuration?)")

// Client asks a running gateway.
type Client struct{ http http.Client }

// NewClient reaches the gateway whose socket this is.
func NewClient(socket string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Close drops the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Buckets tells of every open bucket.
func (c *Client) Buckets(ctx context.Context) ([]migrate.Status, error) {
	var list []migrate.Status
	err := c.do(ctx, http.MethodGet, "/v1/buckets", nil, &list)
	return list, err
}

// Command runs a command on a bucket. A refusal is an *Error with the guards in it.
func (c *Client) Command(ctx context.Context, bucket string, command migrate.Command, o migrate.Order) (migrate.Report, error) {
	var r migrate.Report
	err := c.do(ctx, http.MethodPost, "/v1/buckets/"+url.PathEscape(bucket)+"/"+string(command), o, &r)
	return r, err
}

// Verify begins a verification, or goes on with one; Status tells how far it is.
func (c *Client) Verify(ctx context.Context, bucket string, o migrate.VerifyOrder) error {
	return c.do(ctx, http.MethodPost, "/v1/buckets/"+url.PathEscape(bucket)+"/verify", o, nil)
}

// StopVerify stops a verification; the next one may go on with it.
func (c *Client) StopVerify(ctx context.Context, bucket string) error {
	return c.do(ctx, http.MethodDelete, "/v1/buckets/"+url.PathEscape(bucket)+"/verify", nil, nil)
}

// Findings streams the lines of the last verification, each a symbol (+ missing on
// new, - extra on new, * different, ! failed), a space, and the key quoted as in Go;
// a failed one is followed by ": " and the reason. Equal objects have no lines.
func (c *Client) Findings(ctx context.Context, bucket string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, "/v1/buckets/"+url.PathEscape(bucket)+"/verify/findings", nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Throttle is what background work is allowed, and what holds it back now ("" if
// nothing does).
func (c *Client) Throttle(ctx context.Context) (ThrottleStatus, error) {
	var t ThrottleStatus
	err := c.do(ctx, http.MethodGet, "/v1/throttle", nil, &t)
	return t, err
}

// SetThrottle allows something else, until the gateway is started again.
func (c *Client) SetThrottle(ctx context.Context, l throttle.Limits) (ThrottleStatus, error) {
	var t ThrottleStatus
	err := c.do(ctx, http.MethodPut, "/v1/throttle", l, &t)
	return t, err
}

// Cache counts what the cache does.
func (c *Client) Cache(ctx context.Context) (cache.Stats, error) {
	var s cache.Stats
	err := c.do(ctx, http.MethodGet, "/v1/cache", nil, &s)
	return s, err
}

// Purge drops what is cached of a bucket.
func (c *Client) Purge(ctx context.Context, bucket string, o PurgeOrder) (PurgeReport, error) {
	var r PurgeReport
	err := c.do(ctx, http.MethodPost, "/v1/buckets/"+url.PathEscape(bucket)+"/purge", o, &r)
	return r, err
}

// PurgeOrder names what to drop.
type PurgeOrder struct {
	Keys   []string `json:"keys,omitempty"`
	Prefix *string  `json:"prefix,omitempty"` // all keys that begin with it
}

// PurgeReport says how many keys were cached.
type PurgeReport struct {
	Purged int `json:"purged"`
}

// ThrottleStatus is the answer to Throttle.
type ThrottleStatus struct {
	Limits  throttle.Limits `json:"limits"`
	Reason  string          `json:"reason,omitempty"`
	Workers int             `json:"workers"` // allowed at once now
}

// Certificates tells of every name's certificate.
func (c *Client) Certificates(ctx context.Context) (Certificates, error) {
	var list Certificates
	err := c.do(ctx, http.MethodGet, "/v1/certificates", nil, &list)
	return list, err
}

// Certificates is the answer to Certificates.
type Certificates struct {
	Mode string            `json:"mode"`         // of tls
	CA   string            `json:"ca,omitempty"` // the file with the local CA's certificate
	List []tls.Certificate `json:"certificates"`
}

// Conditions are those of the gateway itself; those of a bucket are in its Status.
func (c *Client) Conditions(ctx context.Context) ([]migrate.Condition, error) {
	var list []migrate.Condition
	err := c.do(ctx, http.MethodGet, "/v1/conditions", nil, &list)
	return list, err
}

// Doctor has the gateway look at everything that it stands on. Checks are handed to seen as
// they end.
func (c *Client) Doctor(ctx context.Context, o doctor.Order, seen func(doctor.Check)) error {
	resp, err := c.send(ctx, http.MethodPost, "/v1/doctor", o)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := json.NewDecoder(resp.Body); ; {
		var found doctor.Check
		err := lines.Decode(&found)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the gateway broke off: %w", err)
		}
		seen(found)
	}
}

// TestNotify sends a test message to every service, and tells what became of each.
func (c *Client) TestNotify(ctx context.Context) ([]notify.Result, error) {
	var list []notify.Result
	err := c.do(ctx, http.MethodPost, "/v1/notify/test", nil, &list)
	return list, err
}

// Reload has the gateway read its configuration again, and answers which settings changed, or
// with DryRun would.
func (c *Client) Reload(ctx context.Context, o ReloadOrder) (config.Changes, error) {
	var changes config.Changes
	err := c.do(ctx, http.MethodPost, "/v1/config/reload", o, &changes)
	return changes, err
}

// ReloadOrder asks for a reload.
type ReloadOrder struct {
	DryRun bool `json:"dry_run,omitempty"`
}

func (c *Client) do(ctx context.Context, method, path string, body, answer any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var document io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		document = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, document)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		return resp, nil
	}
	defer resp.Body.Close()
	refused := new(Error)
	if err := json.NewDecoder(resp.Body).Decode(refused); err != nil {
		return nil, fmt.Errorf("the gateway answered %s", resp.Status)
	}
	return nil, refused
}
