package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

const (
	signedScheme    = "signed" // signed+https://host/path
	signatureHeader = "X-Sluice-Signature"
)

// signed posts messages to a webhook, which can tell by the header that they come from
// here: "sha256=" and the HMAC of the body in hex, as GitHub has it. The time in the
// body tells an old message that somebody sends again.
type signed struct {
	url    string
	secret []byte
}

func newSigned(u *url.URL, web, secret string) (*signed, error) {
	switch {
	case u.Host == "" || web != "http" && web != "https":
		return nil, errors.New("a signed webhook is signed+https://HOST/PATH")
	case secret == "":
		return nil, errors.New("a signed webhook needs notify.webhook_secret")
	}
	target := *u
	target.Scheme = web
	return &signed{target.String(), []byte(secret)}, nil
}

func (s *signed) send(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, s.secret)
	mac.Write(body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return do(r)
}
