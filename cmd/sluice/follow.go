package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"sluice/gateway/migrate"
)

const (
	lookEvery = time.Second      // at the gateway
	lineEvery = 30 * time.Second // where what was printed stays
)

// follow shows on w what goes on, until done answers true or an error.
func (p program) follow(ctx context.Context, w io.Writer, look func(context.Context) ([]migrate.Status, error), done func([]migrate.Status) (bool, error)) error {
	d := display{w: w, size: func() (int, int) { return terminalSize(w) }}
	for {
		list, err := look(ctx)
		if err != nil {
			return err
		}
		end, why := done(list)
		if err := d.show(list, end || why != nil); err != nil {
			return err
		}
		if end || why != nil {
			return why
		}
		if err := p.pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// display is a place for statuses: redrawn on a terminal, elsewhere a line for each
// bucket now and then.
type display struct {
	w     io.Writer
	size  func() (width, height int) // 0, 0: not a terminal
	looks int
	drawn int // lines on the terminal that the next drawing replaces
}

// show shows the statuses; last says that no others come.
func (d *display) show(list []migrate.Status, last bool) error {
	width, height := d.size()
	var out strings.Builder
	if width > 0 {
		var lines []string
		for _, s := range list {
			lines = append(lines, bars(s, width)...)
		}
		lines = lines[:min(len(lines), height-1)] // what has scrolled away can not be redrawn
		if d.drawn > 0 {
			fmt.Fprintf(&out, "\x1b[%dA", d.drawn)
		}
		for _, l := range lines {
			fmt.Fprintf(&out, "%s\x1b[K\n", cut(l, width))
		}
		out.WriteString("\x1b[J")
		d.drawn = len(lines)
	} else if last || d.looks%int(lineEvery/lookEvery) == 0 {
		for _, s := range list {
			fmt.Fprintln(&out, line(s))
		}
	}
	d.looks++
	_, err := io.WriteString(d.w, out.String())
	return err
}

// bars shows a bucket on a terminal: its state, and a bar and a line of figures for
// whatever runs.
func bars(s migrate.Status, width int) []string {
	lines := []string{state(s)}
	for _, r := range runs(s) {
		if ended(r.progress) {
			lines = append(lines, "  "+r.String())
			continue
		}
		head := "  " + r.String() + " "
		if done, known := fraction(r.progress); known {
			room := max(width-len(head)-10, 10)
			full := int(done * float64(room))
			head += "[" + strings.Repeat("#", full) + strings.Repeat("-", room-full) + "] " + percent(r.progress)
		}
		lines = append(lines, head, "    "+figures(r.progress))
	}
	return lines
}

// line tells the same in one line.
func line(s migrate.Status) string {
	words := []string{state(s)}
	for _, r := range runs(s) {
		word := r.String()
		if !ended(r.progress) {
			if _, known := fraction(r.progress); known {
				word += " " + percent(r.progress)
			}
			word += ", " + figures(r.progress)
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

func cut(line string, width int) string {
	if r := []rune(line); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return line
}

// terminalSize is 0, 0 where w is no terminal that can be drawn on.
func terminalSize(w io.Writer) (width, height int) {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return 0, 0
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return max(width, 20), max(height, 2)
}
