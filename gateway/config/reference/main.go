// Command reference writes what can be known of the configuration from its Go types:
// gateway/config/schema.json and docs/config.md. `go generate ./gateway/config` runs it.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(".", "../../docs/config.md"); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// run reads the sources in the package's directory, and writes there and to page.
func run(dir, page string) error {
	schema, text, err := generate(dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/schema.json", schema, 0o644); err != nil {
		return err
	}
	return os.WriteFile(page, text, 0o644)
}

// generate makes the schema and the page.
func generate(dir string) (schema, page []byte, err error) {
	words, err := readComments(dir)
	if err != nil {
		return nil, nil, err
	}
	root, err := schemaOf(words)
	if err != nil {
		return nil, nil, err
	}
	if schema, err = root.json(); err != nil {
		return nil, nil, err
	}
	return schema, root.page(), nil
}
