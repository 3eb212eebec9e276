package mirror

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"

	"sluice/backends"
)

const (
	lockMode  = "X-Amz-Object-Lock-Mode"
	lockUntil = "X-Amz-Object-Lock-Retain-Until-Date"
	legalHold = "X-Amz-Object-Lock-Legal-Hold"
)

type retentionXML struct {
	XMLName         xml.Name `xml:"Retention"`
	Mode            string
	RetainUntilDate string
}

type legalHoldXML struct {
	XMLName xml.Name `xml:"LegalHold"`
	Status  string
}

// copyLock gives the secondary's object the lock of the primary's, where they
// differ. A bucket without locks can not have it: that is noted, and the objects
// count as equal, since nothing could make them so.
func (b *Bucket) copyLock(ctx context.Context, v view, p, s *backends.Info) error {
	if p == nil || s == nil {
		return nil
	}
	if hold := p.Header.Get(legalHold); hold != s.Header.Get(legalHold) {
		if hold == "" {
			hold = "OFF"
		}
		err := b.setLock(ctx, v.secondary, p.Key, "PutObjectLegalHold", "legal-hold", legalHoldXML{Status: hold})
		if err != nil {
			return err
		}
	}
	mode, until := p.Header.Get(lockMode), p.Header.Get(lockUntil)
	if mode != s.Header.Get(lockMode) || until != s.Header.Get(lockUntil) {
		return b.setLock(ctx, v.secondary, p.Key, "PutObjectRetention", "retention", retentionXML{Mode: mode, RetainUntilDate: until})
	}
	return nil
}

func (b *Bucket) setLock(ctx context.Context, s *Store, key, op, sub string, document any) error {
	raw, err := xml.Marshal(document)
	if err != nil {
		return err
	}
	_, err = s.ChangeSubresource(ctx, backends.SubresourceRequest{
		Op: op, Method: http.MethodPut, Key: key, Query: url.Values{sub: {""}}, Body: raw,
		Header: http.Header{"X-Amz-Bypass-Governance-Retention": {"true"}},
	})
	if backends.Unsupported(err) {
		b.missed.note(b.log, op, err)
		return nil
	}
	return err
}
