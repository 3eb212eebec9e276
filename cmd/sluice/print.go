package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sluice/gateway/migrate"
)

// printJSON prints a document as the API has it.
func printJSON(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// printTable prints rows in columns.
func printTable(w io.Writer, rows [][]string) error {
	var out strings.Builder
	t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // into memory
	for line := range strings.Lines(out.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printStatus prints one bucket at length, several as a table.
func printStatus(w io.Writer, list []migrate.Status) error {
	if len(list) == 1 {
		return printBucket(w, list[0])
	}
	rows := [][]string{{"BUCKET", "PHASE", "SINCE", "OLD", "NEW", "PENDING", "RUNS"}}
	for _, s := range list {
		var parts []string
		for _, r := range runs(s) {
			part := r.String()
			if _, known := fraction(r.progress); known && !ended(r.progress) {
				part += " " + percent(r.progress)
			}
			parts = append(parts, part)
		}
		rows = append(rows, []string{
			s.Bucket, string(s.Name), stamp(s.Since), s.Old, s.New, fmt.Sprint(s.Pending), strings.Join(parts, ", "),
		})
	}
	return printTable(w, rows)
}

func printBucket(w io.Writer, s migrate.Status) error {
	rows := [][]string{
		{"bucket", s.Bucket},
		{"phase", fmt.Sprintf("%s since %s", s.Name, stamp(s.Since))},
		{"stores", fmt.Sprintf("old %s, new %s", s.Old, s.New)},
		{"pending", count(int64(s.Pending), "write")},
	}
	if s.New == "" {
		rows[2][1] = s.Old + " alone"
	}
	for _, r := range runs(s) {
		word := string(r.progress.State)
		if done, known := fraction(r.progress); known && done < 1 {
			word += ", " + percent(r.progress)
		}
		rows = append(rows, []string{r.name, word}, []string{"", figures(r.progress)})
		for _, f := range r.progress.Failures {
			rows = append(rows, []string{"", fmt.Sprintf("! %q: %s (%s)", f.Key, f.Error, count(int64(f.Attempts), "attempt"))})
		}
	}
	if err := printTable(w, rows); err != nil || len(s.Conditions) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return printConditions(w, "CONDITION", s.Conditions)
}

func printConditions(w io.Writer, title string, conditions []migrate.Condition) error {
	rows := [][]string{{title, "HOLDS", "SINCE", "BECAUSE"}}
	for _, c := range conditions {
		holds := "no"
		if c.Status {
			holds = "yes"
		}
		rows = append(rows, []string{c.Type, holds, stamp(c.Since), c.Message})
	}
	return printTable(w, rows)
}

// printGuards prints what a command asks for, and which of it is missing.
func printGuards(w io.Writer, guards []migrate.Guard) error {
	rows := [][]string{{"GUARD", "RESULT", "OVERRIDE", "SEEN"}}
	for _, g := range guards {
		result, override := "ok", ""
		switch {
		case g.Overridden:
			result = "overridden"
		case refuses(g):
			result, override = "refused", "never"
			if g.Overridable {
				override = "--override " + g.Name
			}
		}
		rows = append(rows, []string{g.Name, result, override, g.Message})
	}
	return printTable(w, rows)
}

func refuses(g migrate.Guard) bool { return !g.OK && !g.Overridden }
