package sigv4

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// policyOf is a policy with these conditions and with one for the bucket b.
func policyOf(conditions string) string {
	return `{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"bucket": "b"}` + conditions + `]}`
}

func checkPolicy(text string, fields map[string]string) (LengthRange, error) {
	p, err := parsePolicy(base64.StdEncoding.EncodeToString([]byte(text)))
	if err != nil {
		return LengthRange{}, err
	}
	return p.sizes, p.check(time.Date(2029, 12, 31, 23, 59, 59, 0, time.UTC), "b", fields)
}

func TestMalformedPolicies(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                    "",
		"not JSON":                   "{",
		"trailing comma":             policyOf(","),
		"text behind":                policyOf("") + "x",
		"a list":                     "[]",
		"null":                       "null",
		"no expiration":              `{"conditions": []}`,
		"expiration in capitals":     `{"EXPIRATION": "2030-01-01T00:00:00Z", "conditions": []}`,
		"expiration twice":           `{"expiration": "2030-01-01T00:00:00Z", "expiration": "2031-01-01T00:00:00Z", "conditions": []}`,
		"expiration not ISO 8601":    `{"expiration": "2030-01-01 00:00:00+00:00", "conditions": []}`,
		"expiration with an offset":  `{"expiration": "2030-01-01T00:00:00+02:00", "conditions": []}`,
		"expiration null":            `{"expiration": null, "conditions": []}`,
		"no conditions":              `{"expiration": "2030-01-01T00:00:00Z"}`,
		"conditions in capitals":     `{"expiration": "2030-01-01T00:00:00Z", "CONDITIONS": []}`,
		"conditions twice":           `{"expiration": "2030-01-01T00:00:00Z", "conditions": [], "conditions": []}`,
		"conditions no list":         `{"expiration": "2030-01-01T00:00:00Z", "conditions": {}}`,
		"conditions null":            `{"expiration": "2030-01-01T00:00:00Z", "conditions": null}`,
		"unknown member":             `{"expiration": "2030-01-01T00:00:00Z", "conditions": [], "version": "1"}`,
		"condition a string":         policyOf(`, "eq"`),
		"condition null":             policyOf(`, null`),
		"no property":                policyOf(`, {}`),
		"two properties":             policyOf(`, {"acl": "private", "key": "k"}`),
		"one property twice":         policyOf(`, {"acl": "private", "acl": "public-read"}`),
		"value a number":             policyOf(`, {"success_action_status": 201}`),
		"value null":                 policyOf(`, {"acl": null}`),
		"empty operation":            policyOf(`, []`),
		"operation no string":        policyOf(`, [1, "$key", "k"]`),
		"unknown operation":          policyOf(`, ["ends-with", "$key", "k"]`),
		"two items":                  policyOf(`, ["eq", "$key"]`),
		"four items":                 policyOf(`, ["eq", "$key", "k", "l"]`),
		"operand a number":           policyOf(`, ["eq", "$key", 1]`),
		"operand null":               policyOf(`, ["eq", "$key", null]`),
		"range of one":               policyOf(`, ["content-length-range", 0]`),
		"range below zero":           policyOf(`, ["content-length-range", -1, 0]`),
		"range of words":             policyOf(`, ["content-length-range", "test", "10"]`),
		"range of nothing":           policyOf(`, ["content-length-range", "", ""]`),
		"range of fractions":         policyOf(`, ["content-length-range", 0, 512.0]`),
		"range beyond all integers":  policyOf(`, ["content-length-range", 0, 9223372036854775808]`),
		"range in a list":            policyOf(`, ["content-length-range", [0], [1]]`),
		"longer than a form may be ": policyOf(strings.Repeat(" ", maxPolicy)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := checkPolicy(text, map[string]string{})
			wantCode(t, err, "InvalidPolicyDocument")
		})
	}
	_, err := parsePolicy("no base64!")
	wantCode(t, err, "InvalidPolicyDocument")
}

func TestConditions(t *testing.T) {
	for name, c := range map[string]struct{ conditions, key, fails string }{
		"equal":                {`, ["eq", "$key", "k"]`, "k", ""},
		"equal, simple":        {`, {"key": "k"}`, "k", ""},
		"not equal":            {`, ["eq", "$key", "k"]`, "K", `Policy Condition failed: ["eq", "$key", "k"]`},
		"not equal, simple":    {`, {"Key": "k"}`, "l", `Policy Condition failed: ["eq", "$Key", "k"]`},
		"prefix":               {`, ["starts-with", "$key", "user/"]`, "user/a", ""},
		"any":                  {`, ["starts-with", "$key", ""]`, "user/a", ""},
		"no prefix":            {`, ["starts-with", "$key", "user/"]`, "users/a", `Policy Condition failed: ["starts-with", "$key", "user/"]`},
		"a comma is no list":   {`, ["starts-with", "$key", "u"]`, "u,a", ""},
		"capitals":             {`, ["StArTs-WiTh", "$KeY", "u"]`, "u", ""},
		"both must hold":       {`, ["starts-with", "$key", "u"], {"key": "k"}`, "u", `Policy Condition failed: ["eq", "$key", "k"]`},
		"no dollar":            {`, ["eq", "key", "k"]`, "k", `Policy Condition failed: ["eq", "key", "k"]`},
		"escaped dollar":       {`, {"key": "\$k\v\\$"}`, "$k\v\\$", ""},
		"quote":                {`, {"key": "\""}`, "k", `Policy Condition failed: ["eq", "$key", "\""]`},
		"not covered":          {``, "k", "Extra input fields: key"},
		"other bucket":         {`, {"key": "k"}, {"bucket": "c"}`, "k", `Policy Condition failed: ["eq", "$bucket", "c"]`},
		"field that is absent": {`, {"key": "k"}, ["starts-with", "$acl", ""]`, "k", `Policy Condition failed: ["starts-with", "$acl", ""]`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := checkPolicy(policyOf(c.conditions), map[string]string{"key": c.key})
			var e *Error
			switch {
			case c.fails == "" && err == nil:
			case !errors.As(err, &e) || e.Code != "AccessDenied" || e.Message != "Invalid according to Policy: "+c.fails:
				t.Errorf("got %v", err)
			}
		})
	}
}

// A form says its bucket in the address; a field of that name changes nothing.
func TestBucketIsThatOfTheRequest(t *testing.T) {
	if _, err := checkPolicy(policyOf(""), map[string]string{"bucket": "c"}); err != nil {
		t.Error(err)
	}
	_, err := checkPolicy(`{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"key": "k"}]}`, map[string]string{"key": "k"})
	wantCode(t, err, "AccessDenied")
}

func TestPolicyExpires(t *testing.T) {
	for expiration, code := range map[string]string{
		"2029-12-31T23:59:59Z":     "AccessDenied", // now
		"2029-12-31T23:59:59.001Z": "",
		"2000-01-01T00:00:00.000Z": "AccessDenied",
	} {
		_, err := checkPolicy(`{"expiration": "`+expiration+`", "conditions": [{"bucket": "b"}]}`, map[string]string{})
		wantCode(t, err, code)
	}
}

func TestContentLengthRange(t *testing.T) {
	for conditions, want := range map[string]LengthRange{
		``:                                     {0, math.MaxInt64},
		`, ["content-length-range", 1, 1024]`:  {1, 1024},
		`, ["Content-Length-Range", "5","10"]`: {5, 10},
		`, ["content-length-range", 1, 10], ["content-length-range", 5, 20]`: {5, 10},
		`, ["content-length-range", 0, 9223372036854775807]`:                 {0, math.MaxInt64},
	} {
		if got, err := checkPolicy(policyOf(conditions), map[string]string{}); err != nil || got != want {
			t.Errorf("%s: got %v, %v", conditions, got, err)
		}
	}
}

// FuzzPolicy: whatever a policy says, it does not let through a field that it does
// not name, and every refusal is an *Error.
func FuzzPolicy(f *testing.F) {
	f.Add(amazonsPolicy, "key", "user/user1/a")
	f.Add(policyOf(`, ["starts-with", "$key", "u"], ["content-length-range", "1", 2]`), "key", "u")
	f.Add(policyOf(`, {"key": "\$\v\u0041\\"}`), "key", "$")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		_, err := checkPolicy(text, map[string]string{name: value})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		longer := strings.Repeat("f", 2*len(text)+1) // than any name in the policy
		_, err = checkPolicy(text, map[string]string{name: value, longer: ""})
		wantCode(t, err, "AccessDenied")
	})
}
