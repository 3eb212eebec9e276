package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"sluice/gateway/config"
)

// node is a JSON Schema: of the file, a section of it, or a setting.
type node struct {
	Schema      string   `json:"$schema,omitempty"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Type        any      `json:"type,omitempty"`
	Format      string   `json:"format,omitempty"`
	Pattern     string   `json:"pattern,omitempty"`
	Enum        []string `json:"enum,omitempty"`
	Minimum     *int     `json:"minimum,omitempty"`
	Default     any      `json:"default,omitempty"`
	Examples    []any    `json:"examples,omitempty"`
	Properties  settings `json:"properties,omitempty"`
	Required    []string `json:"required,omitempty"`
	Others      any      `json:"additionalProperties,omitempty"` // false, or a *node
	Items       *node    `json:"items,omitempty"`

	kind    string // the type's name on the page
	example string // as it is written
}

// settings are a section's, in the order of the page.
type settings []setting

type setting struct {
	name string
	*node
}

// MarshalJSON keeps the order, in which editors offer the names.
func (s settings) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, one := range s {
		raw, err := json.Marshal(one.node)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%c%q:%s", "{,"[min(i, 1)], one.name, raw)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func schemaOf(words comments) (*node, error) {
	root, err := words.schema(reflect.ValueOf(config.Default()))
	if err != nil {
		return nil, err
	}
	root.Schema, root.Title = "https://json-schema.org/draft/2020-12/schema", "Sluice's configuration"
	return root, nil
}

func (n *node) json() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(n)
	return b.Bytes(), err
}

// schema describes a value, which is the default where there is one.
func (words comments) schema(v reflect.Value) (*node, error) {
	zero := 0
	switch d := v.Interface().(type) {
	case config.Size:
		return &node{kind: "size", Type: []string{"string", "integer"}, Pattern: `^[0-9]+(\.[0-9]+)? *([KMGT]iB|[kKMGT]?B)?$`, Minimum: &zero, Default: marshalled(d)}, nil
	case config.Duration:
		n := &node{kind: "duration", Type: "string", Pattern: `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`}
		if d != 0 {
			n.Default = short(time.Duration(d))
		}
		return n, nil
	case time.Time:
		return &node{kind: "time", Type: "string", Format: "date-time"}, nil
	}
	n := &node{kind: v.Kind().String(), Type: v.Kind().String()}
	if !v.IsZero() {
		n.Default = v.Interface()
	}
	switch v.Kind() {
	case reflect.String:
	case reflect.Bool:
		n.kind, n.Type, n.Default = "boolean", "boolean", v.Bool()
	case reflect.Int:
		n.kind, n.Type, n.Minimum = "integer", "integer", &zero
	case reflect.Float64:
		n.kind, n.Type, n.Minimum = "number", "number", &zero
	case reflect.Slice, reflect.Map:
		element, err := words.schema(reflect.Zero(v.Type().Elem()))
		if err != nil {
			return nil, err
		}
		element.Default = nil
		if v.Kind() == reflect.Slice {
			return &node{kind: "list of " + plural(element.kind), Type: "array", Items: element}, nil
		}
		return &node{kind: "names with " + plural(element.kind), Type: "object", Others: element}, nil
	case reflect.Struct:
		return words.section(v)
	default:
		return nil, fmt.Errorf("a %s has no schema", v.Type())
	}
	return n, nil
}

func (words comments) section(v reflect.Value) (*node, error) {
	n := &node{kind: "section", Type: "object", Others: false}
	for field, value := range v.Fields() {
		one, err := words.schema(value)
		if err != nil {
			return nil, err
		}
		name, at := field.Tag.Get("yaml"), v.Type().Name()+"."+field.Name
		if one.Description = words[at]; name == "" || one.Description == "" {
			return nil, fmt.Errorf("%s has no yaml name, or no comment", at)
		}
		if err := one.tags(field.Tag); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		if field.Tag.Get("required") != "" {
			n.Required = append(n.Required, name)
		}
		n.Properties = append(n.Properties, setting{name, one})
	}
	return n, nil
}

// tags adds what a field's tags say.
func (n *node) tags(tag reflect.StructTag) error {
	if words := tag.Get("enum"); words != "" {
		n.Enum = strings.Split(words, ",")
	}
	if d := tag.Get("default"); d != "" {
		if err := yaml.Unmarshal([]byte(d), &n.Default); err != nil {
			return err
		}
	}
	if n.example = tag.Get("example"); n.example == "" {
		return nil
	}
	var example any = n.example
	if n.Type != "string" {
		if err := yaml.Unmarshal([]byte(n.example), &example); err != nil {
			return err
		}
	}
	n.Examples = []any{example}
	return nil
}

func marshalled(s config.Size) any {
	if s == 0 {
		return nil
	}
	text, _ := s.MarshalText() // never fails
	return string(text)
}

// short leaves out the zeros that time.Duration ends with: 1h0m0s.
func short(d time.Duration) string {
	text := d.String()
	for _, end := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, end) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func plural(kind string) string {
	if slices.Contains([]string{"string", "section"}, kind) {
		return kind + "s"
	}
	return kind
}
