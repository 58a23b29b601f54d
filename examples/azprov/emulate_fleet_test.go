package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/report/kvp"
)

// fleetLine is any of the lines that emulate --vms prints.
type fleetLine struct {
	readyLine

	VMs    int            `json:"vms"`
	By     string         `json:"by"`
	VM     int            `json:"vm"`
	Name   string         `json:"name"`
	Source string         `json:"source"`
	States map[string]int `json:"states"`
	Seen   int            `json:"seen"`
}

// emulateFleet runs emulate with its arguments; the lines are those of standard output up to
// now, and rest is what follows, once it has ended.
func emulateFleet(t *testing.T, lines int, args ...string) (got []fleetLine, end func() (rest []fleetLine, o outcome)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	reader, writer := io.Pipe()
	result := make(chan outcome, 1)
	go func() {
		var stderr bytes.Buffer
		code := newApp(strings.NewReader(""), writer, &stderr, func(string) string { return "" }).run(ctx, append([]string{"emulate"}, args...))
		_ = writer.Close()
		result <- outcome{code: code, stderr: stderr.String()}
	}()
	scanner := bufio.NewScanner(reader)
	next := func() (line fleetLine, ok bool) {
		if !scanner.Scan() {
			return line, false
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", scanner.Text(), err)
		}
		return line, true
	}
	for range lines {
		line, ok := next()
		if !ok {
			t.Fatalf("%d lines:\n%s", len(got), (<-result).stderr)
		}
		got = append(got, line)
	}
	return got, func() (rest []fleetLine, o outcome) {
		cancel()
		for line, ok := next(); ok; line, ok = next() {
			rest = append(rest, line)
		}
		return rest, (<-result).want(t, exitDone)
	}
}

func TestEmulateFleetByPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	journal, pool := filepath.Join(dir, "journal.jsonl"), filepath.Join(dir, "{}.pool")
	lines, end := emulateFleet(t, 4, "--vms", "3", "--by", "port", "--scenario", "custom-data", "--journal", journal,
		"--dmi", filepath.Join(dir, "sys"), "--medium", filepath.Join(dir, "medium"), "--kvp-pool", pool)
	if head := lines[0]; head.VMs != 3 || head.By != "port" || head.PID != os.Getpid() || head.IMDS != "" {
		t.Errorf("the first line is %+v", head)
	}
	for i, line := range lines[1:] {
		if line.VM != i || !strings.HasSuffix(line.Name, fmt.Sprintf("-%d", i)) {
			t.Errorf("VM %d is %+v", i, line)
		}
	}
	for _, i := range []string{"0", "2"} {
		vm := lines[1:][i[0]-'0']
		cli(t, "provision", "--imds", vm.IMDS, "--wireserver", vm.WireServer, "--dmi", filepath.Join(dir, "sys", i),
			"--ovf", filepath.Join(dir, "medium", i)).want(t, exitDone)
	}
	failed := kvp.Open(&kvp.Options{Path: filepath.Join(dir, "1.pool"), Create: true})
	if err := failed.Upsert(t.Context(), kvp.ReportKey, "result=error|reason=fog|agent=pilot/1"); err != nil {
		t.Fatal(err)
	}
	rest, got := end()
	contains(t, got.stderr, "3 VMs: ", "--imds "+lines[1].IMDS+" --wireserver "+lines[1].WireServer+" --dmi "+filepath.Join(dir, "sys", "0"),
		lines[2].Name+"  host", "End. 2 Ready, 1 Failed, 0 InProgress, 0 None; 6 requests, no remarks.")
	if len(rest) != 0 {
		t.Errorf("standard output goes on: %+v", rest)
	}
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{3, 1, 3} {
		if n := strings.Count(string(b), `"vm":"`+lines[1+i].Name+`"`); n != want {
			t.Errorf("%d entries are of %s, want %d", n, lines[1+i].Name, want)
		}
	}
}

func TestEmulateFleetByAddress(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8")
	}
	lines, end := emulateFleet(t, 3, "--vms", "2", "--sources", "127.3.0.0/24", "--output", "json", "--log-level", "error")
	if head := lines[0]; head.VMs != 2 || head.By != "address" || head.IMDS == "" || head.HostGA == "" {
		t.Errorf("the first line is %+v", head)
	}
	if lines[1].Source != "127.3.0.1" || lines[2].Source != "127.3.0.2" || lines[2].IMDS != "" {
		t.Errorf("the VMs are %+v", lines[1:])
	}
	for source, want := range map[string]int{"127.3.0.2": http.StatusOK, "127.3.0.3": http.StatusMisdirectedRequest} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
		client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, lines[0].IMDS+"/metadata/versions", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Metadata", "true")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("from %s: %d, want %d", source, resp.StatusCode, want)
		}
	}
	rest, got := end()
	if len(rest) != 1 || rest[0].States["None"] != 2 || rest[0].Seen != 1 || got.stderr != "" {
		t.Errorf("the end is %+v\n%s", rest, got.stderr)
	}
}

func TestEmulateFleetTellsHowItStands(t *testing.T) {
	t.Parallel()
	lines, end := emulateFleet(t, 1, "--vms", "2")
	cli(t, "provision", "--imds", lines[0].IMDS, "--wireserver", lines[0].WireServer).want(t, exitDone)
	_, got := end()
	contains(t, got.stderr, "An address becomes the next VM's with its first request", "End. 1 Ready, 0 Failed, 0 InProgress, 1 None; 3 requests, no remarks.")
	for s, want := range map[*emulator.FleetSummary]string{
		{States: map[emulator.ReportState]int{emulator.StateReady: 1, emulator.StateFailed: 2, emulator.StateInProgress: 3}, Requests: 1, Remarks: 1}: "1 Ready, 2 Failed, 3 InProgress, 0 None; 1 request, 1 remark",
		{Requests: 7, Refused: 7}: "0 Ready, 0 Failed, 0 InProgress, 0 None; 7 requests, no remarks, 7 refused: of no VM",
	} {
		if got := standing(*s); got != want {
			t.Errorf("%+v is told as %s, want %s", *s, got, want)
		}
	}
}

func TestEmulateFleetFailures(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no VMs", []string{"--vms", "0"}, exitUsage, "want 1 to 65536 for --vms"},
		{"too many", []string{"--vms", "65537"}, exitUsage, "want 1 to 65536 for --vms"},
		{"by without VMs", []string{"--by", "port"}, exitUsage, "add --vms N"},
		{"sources without VMs", []string{"--sources", "10.0.0.0/8"}, exitUsage, "add --vms N"},
		{"by something else", []string{"--vms", "2", "--by", "name"}, exitUsage, "want address or port"},
		{"a lab", []string{"--vms", "2", "--lab"}, exitUsage, "a lab has one VM"},
		{"assertions", []string{"--vms", "2", "--assert"}, exitUsage, "--assert checks one VM\nhint: leave --vms out"},
		{"a word for VMs", []string{"--vms", "abc"}, exitUsage, "\"abc\" for \"--vms\" flag: want a number, like 20"},
		{"one disc", []string{"--vms", "2", "--media", "disc"}, exitUsage, "use --medium"},
		{"one pool", []string{"--vms", "2", "--kvp-pool", "pool"}, exitUsage, "put {} where the number of the VM is to stand"},
		{"sources and ports", []string{"--vms", "2", "--by", "port", "--sources", "10.0.0.0/8"}, exitUsage, "leave --sources out"},
		{"too few sources", []string{"--vms", "4", "--sources", "192.0.2.0/30"}, exitUsage, "--sources 192.0.2.0/30 has 3 addresses for 4 VMs"},
		{"an address as sources", []string{"--vms", "4", "--sources", "192.0.2.1"}, exitUsage, "want a network like 10.20.0.0/16"},
		{"a network with bits behind", []string{"--vms", "4", "--sources", "192.0.2.1/24"}, exitUsage, "want a network like 10.20.0.0/16"},
		{"ports that meet", []string{"--vms", "4", "--by", "port", "--listen-imds", "127.0.0.1:8001", "--listen-wireserver", "127.0.0.1:8002"}, exitFailed, "4 ports each for imds and wireserver meet"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := cli(t, append([]string{"emulate", "--timeout", "5s"}, row.args...)...).want(t, row.code)
			contains(t, got.stderr, "azprov: cannot emulate the platform: ", row.want)
		})
	}
}
