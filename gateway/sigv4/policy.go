package sigv4

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPolicy is the longest policy, in bytes of base64. All the fields of a form
// together may have 20 KB.
const maxPolicy = 20 << 10

// policy is what the signer of a form allows to be posted with it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
type policy struct {
	expires    time.Time
	conditions []condition
	sizes      LengthRange
}

// condition is about one field of the form.
type condition struct {
	op    string // "eq" or "starts-with"
	name  string // with its "$", as the policy spells it
	value string
}

func invalidPolicy(format string, args ...any) *Error {
	return refuse("InvalidPolicyDocument", "Invalid Policy: "+format, args...)
}

// parsePolicy reads a policy as the form carries it.
func parsePolicy(text string) (*policy, error) {
	if len(text) > maxPolicy {
		return nil, invalidPolicy("The policy is too long.")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, invalidPolicy("invalid Base64 encoding.")
	}
	p := &policy{sizes: LengthRange{Max: math.MaxInt64}}
	members, err := readMembers(plainJSON(raw))
	if err != nil {
		return nil, err
	}
	if name, ok := unknownMember(members); ok {
		return nil, invalidPolicy("Unexpected: '%s'", name)
	}
	if err := p.readExpiration(members); err != nil {
		return nil, err
	}
	return p, p.readConditions(members)
}

// plainJSON rewrites the escapes that S3 has and JSON has not: "\$" and "\v".
func plainJSON(raw []byte) []byte {
	plain := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			plain = append(plain, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case '$':
			plain = append(plain, '$')
		case 'v':
			plain = append(plain, `\u000b`...)
		default:
			plain = append(plain, '\\', raw[i])
		}
	}
	return plain
}

// member is one of a JSON object's. A map would not do: names count as they are
// written, and one that comes twice must be seen, or the last would win.
type member struct {
	name  string
	value json.RawMessage
}

func readMembers(raw []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	start, err := decoder.Token()
	if err != nil || start != json.Delim('{') || !json.Valid(raw) {
		return nil, invalidPolicy("Invalid JSON.")
	}
	var members []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, invalidPolicy("Invalid JSON.")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, invalidPolicy("Invalid JSON.")
		}
		members = append(members, member{name.(string), value})
	}
	return members, nil
}

// unknownMember finds a member that a policy does not have.
func unknownMember(members []member) (string, bool) {
	for _, m := range members {
		if m.name != "expiration" && m.name != "conditions" {
			return m.name, true
		}
	}
	return "", false
}

// only is the value of the member of that name, if there is exactly one.
func only(members []member, name string) (json.RawMessage, error) {
	var value json.RawMessage
	for _, m := range members {
		if m.name != name {
			continue
		}
		if value != nil {
			return nil, invalidPolicy("Policy has more than one %s.", name)
		}
		value = m.value
	}
	if value == nil {
		return nil, invalidPolicy("Policy missing %s.", name)
	}
	return value, nil
}

// readExpiration: the time is UTC ("2013-08-07T12:00:00.000Z"); S3 refuses an
// offset.
func (p *policy) readExpiration(members []member) error {
	raw, err := only(members, "expiration")
	if err != nil {
		return err
	}
	text, _ := jsonString(raw)
	if p.expires, err = time.Parse(time.RFC3339, text); err != nil || !strings.HasSuffix(text, "Z") {
		return invalidPolicy("Invalid 'expiration' value: '%s'", text)
	}
	return nil
}

func (p *policy) readConditions(members []member) error {
	raw, err := only(members, "conditions")
	if err != nil {
		return err
	}
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		return invalidPolicy("Invalid 'conditions' value: must be a List.")
	}
	for _, raw := range list {
		switch raw[0] {
		case '{':
			err = p.readSimple(raw)
		case '[':
			err = p.readOperation(raw)
		default:
			err = invalidPolicy("Invalid condition: must be a List or Object.")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readSimple reads {"acl": "public-read"}.
func (p *policy) readSimple(raw []byte) error {
	members, err := readMembers(raw)
	if err != nil {
		return err
	}
	if len(members) != 1 {
		return invalidPolicy("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
	}
	value, ok := jsonString(members[0].value)
	if !ok {
		return invalidPolicy("Invalid Simple-Condition: value must be a string.")
	}
	p.conditions = append(p.conditions, condition{"eq", "$" + members[0].name, value})
	return nil
}

// readOperation reads ["starts-with", "$key", "user/"], ["eq", …] or
// ["content-length-range", 1, 1048576].
func (p *policy) readOperation(raw []byte) error {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) == 0 {
		return invalidPolicy("Invalid Condition: missing operation identifier.")
	}
	spelled, _ := jsonString(items[0])
	op := strings.ToLower(spelled)
	switch op {
	case "eq", "starts-with", "content-length-range":
	default:
		return invalidPolicy("Invalid Condition: unknown operation '%s'.", spelled)
	}
	if len(items) != 3 {
		return invalidPolicy("Invalid %s: wrong number of arguments.", op)
	}
	if op == "content-length-range" {
		return p.limitSize(items[1], items[2])
	}
	name, ok := jsonString(items[1])
	value, okValue := jsonString(items[2])
	if !ok || !okValue {
		return invalidPolicy("Invalid %s: arguments must be strings.", op)
	}
	p.conditions = append(p.conditions, condition{op, name, value})
	return nil
}

// limitSize narrows the range of sizes: of several conditions all have to hold.
func (p *policy) limitSize(least, most json.RawMessage) error {
	low, ok := length(least)
	high, okHigh := length(most)
	if !ok || !okHigh {
		return invalidPolicy("Invalid content-length-range: the bounds must be non-negative integers.")
	}
	p.sizes = LengthRange{max(p.sizes.Min, low), min(p.sizes.Max, high)}
	return nil
}

// length reads a number of bytes, which may be quoted.
func length(raw json.RawMessage) (int64, bool) {
	text, quoted := jsonString(raw)
	if !quoted {
		text = string(raw)
	}
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}

// jsonString decodes a string and nothing else: json.Unmarshal takes null too.
func jsonString(raw json.RawMessage) (string, bool) {
	var text string
	return text, raw[0] == '"' && json.Unmarshal(raw, &text) == nil
}

// check holds a form against the policy, but for the size of its file.
func (p *policy) check(now time.Time, bucket string, fields map[string]string) error {
	if !now.Before(p.expires) {
		return refuse("AccessDenied", "Invalid according to Policy: Policy expired.")
	}
	values := maps.Clone(fields)
	values["bucket"] = bucket
	covered := make(map[string]bool, len(p.conditions))
	for _, c := range p.conditions {
		if !c.holds(values) {
			return refuse("AccessDenied", "Invalid according to Policy: Policy Condition failed: %s", c)
		}
		covered[c.field()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !covered[name] && !needsNoCondition(name) {
			return refuse("AccessDenied", "Invalid according to Policy: Extra input fields: %s", name)
		}
	}
	return nil
}

// needsNoCondition: the policy can not hold its own signature, and what is to be
// ignored may be anything.
func needsNoCondition(name string) bool {
	switch name {
	case "policy", "x-amz-signature", "awsaccesskeyid", "signature":
		return true
	}
	return strings.HasPrefix(name, "x-ignore-")
}

// field is the name of the form's field.
func (c condition) field() string { return strings.ToLower(strings.TrimPrefix(c.name, "$")) }

// holds: a field that is not there fulfils no condition, not even to start with
// "". Neither does a name that lacks its "$", as in S3.
func (c condition) holds(values map[string]string) bool {
	value, ok := values[c.field()]
	switch {
	case !ok || !strings.HasPrefix(c.name, "$"):
		return false
	case c.op == "eq":
		return value == c.value
	case c.field() == "content-type": // may be a list, every one of which counts
		for kind := range strings.SplitSeq(value, ",") {
			if !strings.HasPrefix(strings.TrimSpace(kind), c.value) {
				return false
			}
		}
		return true
	}
	return strings.HasPrefix(value, c.value)
}

// String is the condition as S3 shows one that failed.
func (c condition) String() string {
	return fmt.Sprintf("[%q, %q, %q]", c.op, c.name, c.value)
}
