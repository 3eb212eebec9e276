package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/tls"
)

// Question is one that a configuration needs an answer to.
type Question struct {
	Flag   string // which answers it on the command line
	Text   string
	Secret bool // the flag names a file that holds the answer
	Answer *string

	suggestion func() string // what an empty answer stands for; nil: there has to be one
	needed     func() bool   // nil: always
	check      func(string) error
}

// Questions are in the order in which they are asked; later ones look at the answers to
// earlier ones.
func Questions(a *Answers) []Question {
	list := append(storeQuestions("old", &a.Old), storeQuestions("new", &a.New)...)
	return append(list,
		Question{
			Flag: "bucket", Text: "the bucket as the application names it", Answer: &a.Bucket,
			suggestion: func() string { return a.Old.Bucket }, check: checkValue,
		},
		Question{
			Flag: "endpoint", Answer: &a.Endpoint, check: checkEndpoint,
			Text:       "the `URL` at which the application will reach Sluice: on the same machine http://127.0.0.1:9000, in Docker http://sluice:9000, over a network https://s3.example.com",
			suggestion: func() string { return "http://127.0.0.1:9000" },
		},
		Question{
			Flag: "tls", Answer: &a.TLS, check: checkTLS,
			Text:       "certificates: auto (Sluice gets them, and has ports 80 and 443) or off (a proxy in front has them, and passes on to " + proxied + ")",
			suggestion: func() string { return tls.Auto },
			needed:     func() bool { return a.secureHost() != "" },
		},
		Question{
			Flag: "email", Text: "an `ADDRESS` at which the CA reaches you, if you like", Answer: &a.Email, check: checkValue,
			suggestion: empty, needed: func() bool { return a.TLS == tls.Auto },
		},
		Question{
			Flag: "public-host", Answer: &a.PublicHost, check: checkPublicHost,
			Text:       "the `HOST` at which everybody reads the objects through Sluice, such as files.example.com or files.example.com/media; empty: none",
			suggestion: empty,
		},
	)
}

func storeQuestions(name string, s *Store) []Question {
	the := "the " + name + " store's "
	return []Question{
		{Flag: name + "-endpoint", Text: the + "`URL`, such as https://s3.example.com", Answer: &s.Endpoint, check: checkEndpoint},
		{Flag: name + "-region", Text: the + "region", Answer: &s.Region, check: checkValue, suggestion: func() string { return region(s.Endpoint) }},
		{Flag: name + "-bucket", Text: the + "bucket", Answer: &s.Bucket, check: checkValue},
		{Flag: name + "-access-key-id", Text: the + "access key `ID`", Answer: &s.AccessKeyID, check: checkValue},
		{Flag: name + "-secret-file", Text: the + "secret access key", Answer: &s.Secret, check: checkText, Secret: true},
	}
}

func empty() string { return "" }

func checkTLS(v string) error {
	if v != tls.Auto && v != tls.Off {
		return fmt.Errorf("is not one of %s, %s", tls.Auto, tls.Off)
	}
	return nil
}

// ErrUnanswered is the end of the answers before that of the questions.
var ErrUnanswered = errors.New("there is no answer to a question")

// Terminal is whom the questions are put to.
type Terminal struct {
	// Line reads a line, and answers io.EOF when there are no more.
	Line func(context.Context) (string, error)
	// Hidden reads a line that is not shown. It is nil where nobody is there to see it,
	// nor to answer again.
	Hidden func(context.Context) (string, error)
	Out    io.Writer
}

// Ask asks what is not answered yet. given tells which questions the command line
// answered; the answers to secret ones are names of files there.
func (a *Answers) Ask(ctx context.Context, t Terminal, given func(flag string) bool) error {
	for _, q := range Questions(a) {
		if err := q.settle(ctx, t, given(q.Flag)); err != nil {
			return err
		}
	}
	if a.TLS == tls.Auto && a.secureHost() == "" {
		return fmt.Errorf("--tls auto: with certificates of its own Sluice takes S3 by https alone: --endpoint https://…")
	}
	if name, _ := a.publicHost(); name != "" && name == a.secureHost() {
		return fmt.Errorf("--public-host: %s serves either S3 or the public: a name each", name)
	}
	return nil
}

func (q Question) settle(ctx context.Context, t Terminal, given bool) error {
	if q.Secret && given {
		raw, err := os.ReadFile(*q.Answer)
		if err != nil {
			return fmt.Errorf("--%s: %w", q.Flag, err)
		}
		*q.Answer = strings.TrimSpace(string(raw))
	}
	if given || *q.Answer != "" {
		return q.take(*q.Answer)
	}
	if q.needed != nil && !q.needed() {
		return nil
	}
	for {
		answer, err := q.ask(ctx, t)
		if err != nil {
			return err
		}
		err = q.take(answer)
		if err == nil || t.Hidden == nil {
			return err
		}
		fmt.Fprintln(t.Out, err)
	}
}

// take takes an answer, if it is one.
func (q Question) take(answer string) error {
	if answer == "" && q.suggestion != nil {
		*q.Answer = q.suggestion()
		return nil
	}
	if answer == "" {
		return fmt.Errorf("%w: --%s", ErrUnanswered, q.Flag)
	}
	if err := q.check(answer); err != nil {
		return fmt.Errorf("--%s: it %w", q.Flag, err)
	}
	*q.Answer = answer
	return nil
}

func (q Question) ask(ctx context.Context, t Terminal) (string, error) {
	fmt.Fprint(t.Out, strings.ReplaceAll(q.Text, "`", ""))
	if q.suggestion != nil && q.suggestion() != "" {
		fmt.Fprintf(t.Out, " [%s]", q.suggestion())
	}
	fmt.Fprint(t.Out, ": ")
	read := t.Line
	if q.Secret && t.Hidden != nil {
		read = t.Hidden
	}
	answer, err := read(ctx)
	if t.Hidden == nil || q.Secret {
		fmt.Fprintln(t.Out) // nobody typed one that is seen
	}
	answer = strings.TrimSpace(answer)
	if errors.Is(err, io.EOF) && (answer != "" || q.suggestion != nil) {
		err = nil
	} else if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: --%s", ErrUnanswered, q.Flag)
	}
	return answer, err
}
