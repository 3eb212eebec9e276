package tls

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/mholt/acmez/v3/acme"
)

// advice is what an operator does about a CA's refusal, by its kind (RFC 8555, section
// 6.7). %s is the name.
var advice = map[string]string{
	acme.ProblemTypeDNS:                     "the CA finds no address of %s: give it A or AAAA records that point here",
	acme.ProblemTypeConnection:              "the CA can not connect to %s: it needs port 80 or 443 open from everywhere",
	acme.ProblemTypeUnauthorized:            "something else than this gateway answered the CA's challenge for %s: look where its A and AAAA records point, and for a proxy or redirect before us",
	acme.ProblemTypeIncorrectResponse:       "something else than this gateway answered the CA's challenge for %s: look where its A and AAAA records point, and for a proxy or redirect before us",
	acme.ProblemTypeTLS:                     "TLS for %s ends before it reaches this gateway: pass port 443 on unopened, or answer port 80 here",
	acme.ProblemTypeCAA:                     "a CAA record of %s does not let this CA issue: add the CA to it",
	acme.ProblemTypeRateLimited:             "the CA's rate limit for %s is reached: nothing to do but wait",
	acme.ProblemTypeRejectedIdentifier:      "the CA does not issue for %s",
	acme.ProblemTypeUnsupportedIdentifier:   "the CA does not issue for names such as %s",
	acme.ProblemTypeExternalAccountRequired: "the CA wants an account of its own: set tls.acme.eab",
	acme.ProblemTypeInvalidContact:          "the CA does not take the address in tls.email",
	acme.ProblemTypeUnsupportedContact:      "the CA does not take the address in tls.email",
	acme.ProblemTypeUserActionRequired:      "the CA wants something of the account's owner",
}

// explain says in words what an operator can do about err.
func explain(name string, err error) string {
	var problem acme.Problem
	var authority x509.UnknownAuthorityError
	var request *url.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &problem):
		words := advice[problem.Type]
		if strings.Contains(problem.Detail, "https://") && strings.Contains(problem.Detail, challengePath) {
			words = advice[acme.ProblemTypeUnauthorized] // it asks by http: somebody has sent it on
		}
		if strings.Contains(words, "%s") {
			words = fmt.Sprintf(words, name)
		}
		detail := problem.Detail
		if detail == "" {
			detail = problem.Title
		}
		if words == "" {
			return fmt.Sprintf("the CA refused: %s (%s)", detail, strings.TrimPrefix(problem.Type, acme.ProblemTypeNamespace))
		}
		return fmt.Sprintf("%s (the CA: %s)", words, detail)
	case errors.As(err, &authority) && errors.As(err, &request):
		return fmt.Sprintf("the CA at %s is not trusted itself: set tls.acme.ca_file (%v)", request.URL, authority)
	case errors.As(err, &request):
		return fmt.Sprintf("the CA can not be reached: %s: %v", request.URL, request.Err)
	case errors.As(err, &dial):
		return fmt.Sprintf("a server that is needed can not be reached: %v", err)
	}
	return err.Error()
}
