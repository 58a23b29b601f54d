// Command readyobject fails unless its standard input is exactly one JSON object
// whose report.state is Ready: the contract of "azprov provision --output json".
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := check(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "readyobject:", err)
		os.Exit(1)
	}
	fmt.Println("one JSON object, report.state is Ready")
}

func check(r io.Reader) error {
	dec := json.NewDecoder(r)
	var object struct {
		Report struct {
			State string `json:"state"`
		} `json:"report"`
	}
	if err := dec.Decode(&object); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one value")
	}
	if object.Report.State != "Ready" {
		return fmt.Errorf("report.state is %q, want %q", object.Report.State, "Ready")
	}
	return nil
}
