// Command testevents reads the events of "go test -json" and prints what plain
// "go test" would: one line a package, and the output of whatever failed. It ends
// with the sums, and fails if a test failed or was skipped.
//
// With -allow-skip=TEXT, tests whose reason holds TEXT may be skipped.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is the part of cmd/test2json's TestEvent that is used here.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type key struct{ pkg, test string }

// A summary adds up the events of one run.
type summary struct {
	allowSkip               string
	output                  map[key][]string
	passed, failed, skipped int
	// broken counts packages that failed, by a test or before any.
	broken   int
	unwanted []string
}

func main() {
	allow := flag.String("allow-skip", "", "a skipped test is fine if its reason holds this `TEXT`")
	flag.Parse()
	s := &summary{allowSkip: *allow, output: make(map[key][]string)}
	if err := s.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testevents:", err)
		os.Exit(1)
	}
}

func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if errors.Is(err, io.EOF) {
			return s.end()
		}
		if err != nil {
			return err
		}
	}
}

// line takes one event; what is no event, the go command's own complaint, is
// passed on.
func (s *summary) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Print(line)
		return
	}
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output":
		if strings.HasPrefix(e.Output, "=== ") {
			return // Who runs and who waits; plain go test is silent about it.
		}
		s.output[k] = append(s.output[k], e.Output)
	case "build-output":
		fmt.Print(e.Output)
	case "build-fail":
		s.broken++
	case "pass", "fail", "skip":
		s.finish(e.Action, k)
		delete(s.output, k)
	}
}

// finish takes the end of a test, or of a package, where the test has no name.
func (s *summary) finish(action string, k key) {
	out := s.output[k]
	switch {
	case k.test == "":
		s.printPackage(action, out)
	case action == "pass":
		s.passed++
	case action == "fail":
		s.failed++
		fmt.Print(strings.Join(out, ""))
	default:
		s.skipped++
		reason := strings.Join(out, "")
		if s.allowSkip == "" || !strings.Contains(reason, s.allowSkip) {
			s.unwanted = append(s.unwanted, k.pkg+"\n"+strings.TrimSpace(reason))
		}
	}
}

// printPackage prints the closing line, and of a failed package everything.
func (s *summary) printPackage(action string, out []string) {
	for _, line := range out {
		closing := strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ")
		if action == "fail" || closing {
			fmt.Print(line)
		}
	}
	if action == "fail" {
		s.broken++
	}
}

// end prints the sums and says what was wrong.
func (s *summary) end() error {
	for _, skip := range s.unwanted {
		fmt.Println("skipped without leave:", skip)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	switch {
	case s.failed > 0 || s.broken > 0:
		return errors.New("not everything passed")
	case len(s.unwanted) > 0:
		return errors.New("tests were skipped that had to run")
	case s.passed == 0:
		return errors.New("no test ran")
	}
	return nil
}
