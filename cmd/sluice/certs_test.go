package main

import (
	"testing"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
	"sluice/tls"
)

const certificates = "GET /v1/certificates"

func TestCerts(t *testing.T) {
	for _, c := range []struct {
		answer admin.Certificates
		stdout string
	}{
		{admin.Certificates{Mode: "auto", List: []tls.Certificate{
			{Name: "*.s3.test", Issuer: "Let's Encrypt E7", NotAfter: noon, DaysLeft: 60},
			{Name: "files.test", Error: "the CA finds no address of files.test", Next: noon.Add(time.Minute)},
			{Name: "s3.test", Issuer: "Let's Encrypt E7", NotAfter: noon, DaysLeft: 3, Error: "the CA can not be reached"},
		}}, `
NAME        ISSUER            DAYS LEFT  UNTIL                 LAST ERROR
*.s3.test   Let's Encrypt E7  60         2026-03-01 12:00 UTC
files.test  none yet          -          -                     the CA finds no address of files.test; next attempt 2026-03-01 12:01 UTC
s3.test     Let's Encrypt E7  3          2026-03-01 12:00 UTC  the CA can not be reached
`},
		{admin.Certificates{Mode: "internal", CA: "/state/ca.pem", List: []tls.Certificate{{Name: "localhost", Issuer: "Sluice", NotAfter: noon, DaysLeft: 6}}}, `
NAME       ISSUER  DAYS LEFT  UNTIL                 LAST ERROR
localhost  Sluice  6          2026-03-01 12:00 UTC

the local CA's certificate, for clients to trust: /state/ca.pem
`},
		{admin.Certificates{Mode: "off"}, "tls.mode is off: there are no certificates\n"},
	} {
		f := newFake(t, map[string][]any{certificates: {c.answer}})
		f.run(t, 0, "certs").expect(t, 0, c.stdout, "")
	}
	f := newFake(t, map[string][]any{certificates: {admin.Certificates{Mode: "off", List: []tls.Certificate{}}}})
	f.run(t, 0, "certs", "-o", "json").expect(t, 0, "{\n  \"mode\": \"off\",\n  \"certificates\": []\n}\n", "")
}

// TestStatusOfCertificates: the gateway's own conditions are told when they do not hold.
func TestStatusOfCertificates(t *testing.T) {
	list := []any{[]migrate.Status{quiet()}}
	const bucket = `
bucket   backups
phase    passthrough since 2026-03-01 12:00 UTC
stores   minio alone
pending  0 writes
`
	f := newFake(t, map[string][]any{buckets: list, conditions: {
		[]migrate.Condition{{Type: "certificates", Message: "s3.test: the CA can not be reached", Since: noon}},
		[]migrate.Condition{{Type: "certificates", Status: true, Message: "2 are held", Since: noon}},
	}})
	f.run(t, 0, "status").expect(t, 0, bucket+`
GATEWAY       HOLDS  SINCE                 BECAUSE
certificates  no     2026-03-01 12:00 UTC  s3.test: the CA can not be reached
`, "")
	f.run(t, 0, "status").expect(t, 0, bucket, "")
}
