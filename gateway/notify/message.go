package notify

import (
	"fmt"
	"strings"
	"time"
)

// Message is what operators are told. As JSON it is the body that signed webhooks get.
type Message struct {
	Kind      Kind      `json:"kind"`
	Subject   string    `json:"subject"`
	Condition string    `json:"condition,omitempty"` // its type
	Title     string    `json:"title"`
	Detail    string    `json:"detail,omitempty"` // the condition's own words
	Since     time.Time `json:"since,omitzero"`
	Todo      string    `json:"todo,omitempty"`
	Time      time.Time `json:"time"` // of the message
}

// Kind says why a message is sent.
type Kind string

// The kinds.
const (
	Problem  Kind = "problem"
	Still    Kind = "still" // a problem that lasts
	Resolved Kind = "resolved"
	Test     Kind = "test"
)

var begins = map[Kind]string{Problem: "Problem", Still: "Still a problem", Resolved: "Good again", Test: "Test"}

// Headline is the first line.
func (m Message) Headline() string {
	return fmt.Sprintf("Sluice: %s: %s (%s)", begins[m.Kind], m.Title, m.Subject)
}

// Text is all that comes after the headline, in lines without links.
func (m Message) Text() string {
	var lines []string
	if m.Detail != "" {
		lines = append(lines, line(m.Detail))
	}
	switch {
	case m.Since.IsZero():
	case m.Kind == Resolved:
		lines = append(lines, fmt.Sprintf("It began at %s, %v ago.", stamp(m.Since), m.Time.Sub(m.Since).Round(time.Second)))
	default:
		lines = append(lines, fmt.Sprintf("Since %s.", stamp(m.Since)))
	}
	if m.Todo != "" {
		lines = append(lines, "What to do: "+m.Todo)
	}
	return strings.Join(lines, "\n")
}

// maxLine bounds what is taken over from others, in bytes.
const maxLine = 500

var unlinked = strings.NewReplacer("https://", "", "http://", "")

// line makes one line of a text, not too long, in which nothing is a link.
func line(text string) string {
	text = unlinked.Replace(strings.Join(strings.Fields(text), " "))
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
