// Command count runs a "go test -json" command, shows what failed, and counts:
//
//	count -- go test -race -json ./...
//
// With SLUICE_REQUIRE_TOOLS set a skipped test is a failure: nothing may be
// missing there.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

type event struct{ Action, Package, Test, Output string }

func main() {
	if len(os.Args) < 3 || os.Args[1] != "--" {
		fmt.Fprintln(os.Stderr, "usage: count -- go test -json …")
		os.Exit(2)
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	passed, failed, skipped := 0, 0, 0
	output := make(map[string]*strings.Builder) // of tests that have not passed
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // a build failure
			continue
		}
		id := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if output[id] == nil {
				output[id] = new(strings.Builder)
			}
			output[id].WriteString(e.Output)
			continue
		case "pass":
			if e.Test != "" {
				passed++
			} else {
				fmt.Println("ok  ", e.Package)
			}
		case "fail", "build-fail":
			failed++
			fmt.Println("FAIL", id)
			show(output[id])
		case "skip":
			if e.Test != "" {
				skipped++
				fmt.Println("SKIP", id)
				show(output[id])
			}
		default:
			continue
		}
		delete(output, id)
	}
	err = cmd.Wait()
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if err != nil || failed > 0 || skipped > 0 && os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
		os.Exit(1)
	}
}

func show(b *strings.Builder) {
	if b != nil {
		fmt.Print(b.String())
	}
}
