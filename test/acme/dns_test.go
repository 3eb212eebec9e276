package acme

import (
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/letsencrypt/challtestsrv"
	"github.com/miekg/dns"
)

// zone is what the tests' names are in.
const zone = "sluice.test."

const (
	updateKey    = "update."
	updateSecret = "c2VjcmV0IG9mIHRoZSBwcmltYXJ5"
)

// names is the DNS of the tests: Pebble's challenge test server, for which every name is
// at 127.0.0.1, and a primary before it that takes updates (RFC 2136).
type names struct {
	address, primary string
	records          *challtestsrv.ChallSrv
}

var theNames struct {
	sync.Once
	names
}

// resolver starts the DNS, once: the test server has a global handler.
func resolver(t *testing.T) *names {
	t.Helper()
	n := &theNames.names
	theNames.Do(func() {
		n.address = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		var err error
		n.records, err = challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{n.address}, Log: log.New(io.Discard, "", 0)})
		must(t, err)
		n.records.SetDefaultDNSIPv6("")
		n.records.Run()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		n.primary = l.Addr().String()
		packets, err := net.ListenPacket("udp", n.primary)
		must(t, err)
		secrets := map[string]string{updateKey: updateSecret}
		for _, s := range []*dns.Server{{Listener: l}, {PacketConn: packets}} {
			s.Handler, s.TsigSecret, s.MsgAcceptFunc = dns.HandlerFunc(n.serve), secrets, acceptUpdates
			go s.ActivateAndServe() //nolint:errcheck // ends with the tests
		}
	})
	return n
}

func acceptUpdates(h dns.Header) dns.MsgAcceptAction {
	if int(h.Bits>>11)&0xf == dns.OpcodeUpdate {
		return dns.MsgAccept
	}
	return dns.DefaultMsgAcceptFunc(h)
}

// settings are tls.dns for these servers.
func (n *names) settings() map[string]string {
	return map[string]string{
		"provider": "rfc2136", "server": n.primary, "key_name": updateKey, "key_alg": dns.HmacSHA256, "key": updateSecret,
		"resolvers": n.primary,
	}
}

// serve answers for the zone and takes updates of TXT records that are signed.
func (n *names) serve(w dns.ResponseWriter, r *dns.Msg) {
	answer := new(dns.Msg).SetReply(r)
	switch {
	case r.Opcode == dns.OpcodeUpdate && (r.IsTsig() == nil || w.TsigStatus() != nil):
		answer.Rcode = dns.RcodeRefused
	case r.Opcode == dns.OpcodeUpdate:
		for _, rr := range r.Ns {
			if txt, ok := rr.(*dns.TXT); ok && rr.Header().Class == dns.ClassINET {
				n.records.AddDNSTXTRecord(rr.Header().Name, strings.Join(txt.Txt, ""))
			} else {
				n.records.DeleteDNSTXTRecord(rr.Header().Name)
			}
		}
		answer.SetTsig(updateKey, dns.HmacSHA256, 300, int64(r.IsTsig().TimeSigned))
	default:
		for _, q := range r.Question {
			header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET}
			switch {
			case q.Qtype == dns.TypeSOA && q.Name == zone:
				answer.Answer = append(answer.Answer, &dns.SOA{Hdr: header, Ns: "ns." + zone, Mbox: "ns." + zone})
			case q.Qtype == dns.TypeTXT:
				for _, value := range n.records.GetDNSTXTRecords(q.Name) {
					answer.Answer = append(answer.Answer, &dns.TXT{Hdr: header, Txt: []string{value}})
				}
			}
		}
	}
	_ = w.WriteMsg(answer)
}
