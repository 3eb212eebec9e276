package config

import _ "embed" // for the schema

// Schema is the JSON Schema (draft 2020-12) of the file. It knows names, types and words;
// what Parse says of a file is the last word.
//
//go:embed schema.json
var Schema []byte
