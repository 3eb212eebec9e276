package main

import (
	"bytes"
	"fmt"
	"strings"
)

const introduction = `# Configuration

One YAML file, ` + "`/etc/sluice/sluice.yaml`" + ` unless ` + "`-c`" + ` says otherwise. ` + "`sluice init`" + ` writes a first one, ` + "`sluice config validate`" + ` says what
is wrong with it, ` + "`sluice config show`" + ` shows it with its defaults and without its secrets, and ` + "`sluice config schema`" + ` prints its JSON
Schema, for editors. A key that is not here is an error.

- A **size** is a number of bytes: ` + "`256MiB`, `1.5GiB`, `10MB`, `4096`" + `. A **duration** is one such as ` + "`500ms`, `2s`, `1h30m`" + `.
- ` + "`${NAME}`" + ` in a secret, in the path of a file, in an endpoint, a bucket or a key id stands for the environment variable of that name.
- A secret may be in a file that its ` + "`…_file`" + ` names, and is then the file's whole content but for spaces around it.
- A relative path is of the directory that the file is in. Where systemd passes credentials (` + "`LoadCredential=secrets:/etc/sluice/secrets`" + `)
  ` + "`secrets/old`" + ` is that of them that it calls ` + "`secrets_old`" + `.
- Bold keys are required.

<!-- Made of the comments in gateway/config by go generate: change them there. -->
`

// page writes the reference.
func (n *node) page() []byte {
	var b bytes.Buffer
	b.WriteString(introduction)
	n.write(&b, "", "The file", "")
	return b.Bytes()
}

// write writes a section as a table, and those in it behind it.
func (n *node) write(b *bytes.Buffer, path, title, words string) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if words != "" {
		fmt.Fprintf(b, "%s\n\n", cell(words))
	}
	b.WriteString("| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, s := range n.Properties {
		name := "`" + s.name + "`"
		for _, r := range n.Required {
			if r == s.name {
				name = "**" + name + "**"
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, s.typeWords(path), s.defaultWords(), s.meaning())
	}
	for _, s := range n.Properties {
		if section, at := s.section(path); section != nil {
			section.write(b, at, "`"+at+"`", s.Description)
		}
	}
}

// section is the one that a setting holds, and its path.
func (s setting) section(path string) (*node, string) {
	at := strings.TrimPrefix(path+"."+s.name, ".")
	if s.Properties != nil {
		return s.node, at
	}
	if s.Items != nil && s.Items.Properties != nil {
		return s.Items, at + "[]"
	}
	if element, ok := s.Others.(*node); ok && element.Properties != nil {
		return element, at + ".NAME"
	}
	return nil, ""
}

func (s setting) typeWords(path string) string {
	kind := s.kind
	if len(s.Enum) > 0 {
		kind = "`" + strings.Join(s.Enum, "`, `") + "`"
		kind = strings.TrimSuffix(kind, ", ``")
	}
	if _, at := s.section(path); at != "" {
		kind = fmt.Sprintf("[%s](#%s)", kind, anchor(at))
	}
	return kind
}

// anchor is the name that a heading has in a link.
func anchor(heading string) string {
	return strings.NewReplacer(".", "", "[", "", "]", "").Replace(strings.ToLower(heading))
}

func (s setting) defaultWords() string {
	if s.Default == nil {
		return ""
	}
	return fmt.Sprintf("`%v`", s.Default)
}

func (s setting) meaning() string {
	words := cell(s.Description)
	if s.example != "" {
		words += cell(" Such as `" + s.example + "`.")
	}
	return words
}

// cell is text in a table; what is not between backquotes is no Markdown.
func cell(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`).Replace(parts[i])
	}
	return strings.ReplaceAll(strings.Join(parts, "`"), "|", `\|`)
}
