package backends

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Profile is what a store was seen to do where stores differ. It is tried, not
// looked up by the provider's name: providers change, and proxies stand before
// them. The zero value trusts the store with nothing.
type Profile struct {
	// ConditionalCreate: a PUT with If-None-Match: * never replaces an object.
	// Stores that ignore the header answer success and overwrite.
	ConditionalCreate bool `json:"conditional_create"`
	// Checksums: x-amz-checksum-* headers are taken.
	Checksums bool `json:"checksums"`
	// Trailers: they are taken behind a signed body, too.
	Trailers bool `json:"trailers"`
	// ACLs: an object's ACL can be set to public-read, and reads back so. Some
	// stores have none, some take them and forget.
	ACLs bool `json:"acls"`
	// Tags: an object can be stored with tags, and reads back so.
	Tags bool `json:"tags"`
	// TagCounts: the answer to a GET says whether the object has tags.
	TagCounts bool `json:"tag_counts"`
	// Subresources: a request for an object's sub-resource is never taken for
	// one for the object. Where it is, setting tags would replace the content.
	Subresources bool `json:"subresources"`
	// MD5ETags: the ETag of a PUT is the MD5 of its content, as S3's is without
	// SSE-KMS and SSE-C.
	MD5ETags bool `json:"md5_etags"`
}

// Probe finds out what a store does, with a few requests on an object of its own.
// An error says that nothing was learned: the store is down, or does not let its
// keys write.
func Probe(ctx context.Context, s Store) (Profile, error) {
	var p Profile
	c := NewCanary(s)
	defer c.Remove(ctx) // what stays, RemoveForgotten finds
	steps := []func(context.Context, *Canary, *Profile) error{probeCreate, probeChecksums, probeSubresources, probeACLs, probeTags}
	for _, step := range steps {
		if err := step(ctx, c, &p); err != nil {
			return Profile{}, fmt.Errorf("probing the store with the object %s: %w", c.Key, err)
		}
	}
	if err := c.Delete(ctx); err != nil {
		return Profile{}, fmt.Errorf("removing the object %s of a probe: %w", c.Key, err)
	}
	return p, nil
}

// unlessUnsupported drops the error of a store that can not do what was asked.
func unlessUnsupported(err error) error {
	if Unsupported(err) {
		return nil
	}
	return err
}

// slowDowns are the pauses before a step is tried again that a store wanted later:
// some take one write a second of a key (Google's Cloud Storage).
var slowDowns = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// patiently runs a write, again where the store asks to slow down.
func patiently(ctx context.Context, write func() error) error {
	err := write()
	for _, pause := range slowDowns {
		if !errors.Is(err, ErrSlowDown) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		err = write()
	}
	return err
}

func probePut(ctx context.Context, c *Canary, content string, change func(*PutRequest)) (*PutResult, error) {
	r := PutRequest{Header: make(http.Header)}
	change(&r)
	return c.put(ctx, r, []byte(content))
}

// probeCreate: a second create must be refused and must leave the first one's
// content.
func probeCreate(ctx context.Context, c *Canary, p *Profile) error {
	first, err := probePut(ctx, c, "first", func(*PutRequest) {})
	if err != nil {
		return err
	}
	sum := md5.Sum([]byte("first"))
	p.MD5ETags = first.ETag == hex.EncodeToString(sum[:])
	_, second := probePut(ctx, c, "second", func(r *PutRequest) { r.IfNoneMatch = true })
	content, err := probeContent(ctx, c)
	p.ConditionalCreate = errors.Is(second, ErrPrecondition) && content == "first"
	return err
}

func probeContent(ctx context.Context, c *Canary) (string, error) {
	o, err := c.Store.Get(ctx, GetRequest{Key: c.Key})
	if err != nil {
		return "", err
	}
	defer o.Body.Close()
	content, err := io.ReadAll(o.Body)
	return string(content), err
}

func probeChecksums(ctx context.Context, c *Canary, p *Profile) error {
	const content = "third"
	const name = "X-Amz-Checksum-Crc32"
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(content))))
	_, err := probePut(ctx, c, content, func(r *PutRequest) { r.Header.Set(name, sum) })
	if p.Checksums = err == nil; !p.Checksums {
		return unlessUnsupported(err)
	}
	_, err = probePut(ctx, c, content, func(r *PutRequest) { r.Trailer = &Trailer{name, func() string { return sum }} })
	if err == nil {
		var info *Info
		info, err = c.Store.Head(ctx, GetRequest{Key: c.Key, Header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}})
		p.Trailers = err == nil && info.Header.Get(name) == sum
	}
	return unlessUnsupported(err)
}

func probeACLs(ctx context.Context, c *Canary, p *Profile) error {
	if !p.Subresources {
		return nil // what looks like an ACL would be the object
	}
	err := patiently(ctx, func() error { return SetCannedACL(ctx, c.Store, c.Key, "public-read") })
	if err != nil {
		return unlessUnsupported(err)
	}
	canned, err := CannedACL(ctx, c.Store, c.Key)
	p.ACLs = canned == "public-read"
	return unlessUnsupported(err)
}

func probeTags(ctx context.Context, c *Canary, p *Profile) error {
	if !p.Subresources {
		return nil
	}
	_, err := probePut(ctx, c, "fourth", func(r *PutRequest) { r.Header.Set("X-Amz-Tagging", "probe=tags") })
	if err != nil {
		return unlessUnsupported(err)
	}
	tags, err := Tags(ctx, c.Store, c.Key)
	if p.Tags = err == nil && tags.Get("probe") == "tags"; !p.Tags {
		return unlessUnsupported(err)
	}
	o, err := c.Store.Get(ctx, GetRequest{Key: c.Key})
	if err != nil {
		return err
	}
	o.Body.Close()
	p.TagCounts = o.Header.Get("X-Amz-Tagging-Count") != ""
	return nil
}

// probeSubresources: a document that is set must not become the object's content.
func probeSubresources(ctx context.Context, c *Canary, p *Profile) error {
	const content = "fifth"
	if _, err := probePut(ctx, c, content, func(*PutRequest) {}); err != nil {
		return err
	}
	err := patiently(ctx, func() error {
		_, err := c.Store.ChangeSubresource(ctx, SubresourceRequest{
			Op: "PutObjectTagging", Method: http.MethodPut, Key: c.Key, Query: url.Values{"tagging": {""}},
			Body: []byte("<Tagging><TagSet><Tag><Key>probe</Key><Value>tags</Value></Tag></TagSet></Tagging>"),
		})
		return err
	})
	if err := unlessUnsupported(err); err != nil {
		return err
	}
	after, err := probeContent(ctx, c)
	p.Subresources = after == content
	return err
}
