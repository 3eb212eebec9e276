package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"unicode"

	"sluice/backends"
)

// trouble is a failure as an operator is told of it.
type trouble struct {
	seen, todo string
	cause      Cause
}

const setClock = "set the clock, and keep it right by NTP (timedatectl set-ntp true)"

// explain finds words for the error of a request to the store.
func (p place) explain(err error) trouble {
	key := "stores." + p.storeName
	var e *backends.Error
	switch answered := errors.As(err, &e); {
	case unanswered(err):
		return p.explainNetwork(err)
	case !answered:
		return trouble{err.Error(), "correct " + key + "; if that is right, ask the provider: such a store can not be used", ""}
	}
	switch e.Code {
	case "InvalidAccessKeyId", "InvalidAccessKeyID":
		return trouble{"the store does not know the access key", "correct " + key + ".access_key_id, or create the key at the provider", Denied}
	case "SignatureDoesNotMatch":
		return trouble{
			"the secret does not belong to the access key",
			"correct " + key + ".secret_access_key: look for a cut-off end, quotes, the secret of another key", Denied,
		}
	case "InvalidToken", "ExpiredToken", "InvalidTokenId", "TokenRefreshRequired":
		return trouble{"the session token is wrong, or its time is over", "renew " + key + ".session_token and the key pair that it belongs to", Denied}
	case "RequestTimeTooSkewed":
		return trouble{"the store refuses requests because of this machine's clock", setClock, Denied}
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException", "InvalidRegionName":
		return trouble{said("the region is wrong, or the endpoint is another region's", e), "set " + key + ".region and .endpoint to those of the bucket", ""}
	case "NoSuchBucket":
		return trouble{
			fmt.Sprintf("the store has no bucket %q", p.bucket),
			"create it at the provider, or correct " + key + ".bucket (" + p.addressing() + ")", "",
		}
	case "AllAccessDisabled", "AccountProblem":
		return trouble{said("the provider has closed the account or the bucket", e), "ask the provider", Denied}
	case "":
		return trouble{
			fmt.Sprintf("what answers does not speak S3 (HTTP %d)", e.Status),
			"correct " + key + ".endpoint: a console, a CDN, or http instead of https may stand there", Unreachable,
		}
	}
	switch {
	case errors.Is(err, backends.ErrDenied):
		return trouble{said("the store refuses it", e), "give the key pair the right at the provider", Denied}
	case errors.Is(err, backends.ErrUnavailable), errors.Is(err, backends.ErrSlowDown):
		return trouble{said("the store can not answer now", e), "look at the provider's status; try again", Unreachable}
	}
	return trouble{said("the store refuses the request", e), "ask the provider what it means", ""}
}

func (p place) addressing() string {
	if p.config.Addressing == "virtual" {
		return "it is asked for as a host name; addressing: path asks for it as a path"
	}
	return "it is asked for as a path; addressing: virtual asks for it as a host name"
}

// said puts the store's own words behind ours, as far as they fit into a line. They are the
// answer's code and message: its further elements may quote what was signed.
func said(words string, e *backends.Error) string {
	theirs := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, e.Code+" "+e.Message)
	return fmt.Sprintf("%s: %.200s", words, strings.TrimSpace(theirs))
}

// address is the endpoint's, without what else a URL may hold.
func (p place) address() string {
	u, err := url.Parse(p.config.Endpoint)
	if err != nil {
		return "its endpoint"
	}
	return u.Scheme + "://" + u.Host
}

// explainNetwork is about a store that gave no answer.
func (p place) explainNetwork(err error) trouble {
	key := "stores." + p.storeName
	todo := "correct " + key + ".endpoint, and look at the network and the provider's status"
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		dns       *net.DNSError
	)
	switch {
	case errors.As(err, &authority):
		return trouble{"the store's certificate is by nobody this machine trusts", "name its CA's certificate in " + key + ".ca_file", Unreachable}
	case errors.As(err, &name):
		return trouble{"the store's certificate is for another name: " + name.Error(), "use a name of the certificate in " + key + ".endpoint", Unreachable}
	case errors.As(err, &invalid):
		return trouble{"the store's certificate is no good: " + invalid.Error(), "renew it; look at this machine's clock", Unreachable}
	case errors.As(err, &record), strings.Contains(fmt.Sprint(err), "HTTP response to HTTPS client"): // as net/http calls it
		return trouble{"the endpoint does not speak TLS", "use http:// in " + key + ".endpoint, or another port", Unreachable}
	case errors.As(err, &dns) && dns.IsNotFound:
		return trouble{fmt.Sprintf("the host name %s has no address", dns.Name), "correct " + key + ".endpoint", Unreachable}
	case errors.As(err, &dns):
		return trouble{fmt.Sprintf("the DNS could not be asked for %s", dns.Name), "look at /etc/resolv.conf and the DNS server", Unreachable}
	case errors.Is(err, syscall.ECONNREFUSED):
		return trouble{"nobody listens at " + p.address(), todo, Unreachable}
	case timedOut(err):
		return trouble{p.address() + " does not answer in time", "look at the network between, firewalls first, and at the provider's status", Unreachable}
	}
	return trouble{"no usable answer: " + cause(err), todo, Unreachable}
}

// unanswered tells whether an error is that of a request without a whole answer.
func unanswered(err error) bool {
	var e *backends.Error
	return errors.As(err, &e) && e.Status == 0 || timedOut(err) || errors.Is(err, io.ErrUnexpectedEOF)
}

func timedOut(err error) bool {
	var timeout net.Error // context.DeadlineExceeded is one, too
	return errors.As(err, &timeout) && timeout.Timeout()
}

// cause is an error without the operation, the key or the URL that it is about.
func cause(err error) string {
	var e *backends.Error
	var sent *url.Error
	switch {
	case errors.As(err, &sent):
		return sent.Err.Error()
	case errors.As(err, &e) && e.Err != nil:
		return e.Err.Error()
	}
	return err.Error()
}
