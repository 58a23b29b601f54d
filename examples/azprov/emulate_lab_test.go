package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/report/kvp"
)

func TestEmulateLab(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		got := cli(t, "emulate", "--lab", "--timeout", "5s")
		contains(t, got.stderr, "azprov: cannot emulate the platform: lab.New: ")
		return
	}
	programtest.Need(t, "nsenter", "ip")
	path := filepath.Join(t.TempDir(), "pool")
	pool := kvp.Open(&kvp.Options{Path: path, Create: true})
	if err := pool.Upsert(t.Context(), kvp.ReportKey, "result=error|reason=fog|agent=pilot/1"); err != nil {
		t.Fatal(err)
	}
	e := startEmulate(t, "--lab", "--scenario", "pps-savable", "--lab-secondary", "--lab-twin", "--kvp-pool", path)
	if e.ready.IMDS != "http://169.254.169.254:80" || e.ready.WireServer != "http://168.63.129.16:80" || e.ready.HostGA != azprov.HostGAEndpoint {
		t.Errorf("first line: %+v", e.ready)
	}
	out, err := exec.CommandContext(t.Context(), "nsenter", "--net="+e.ready.Netns, "ip", "link").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	contains(t, string(out), "eth0@", "eth1@", "enP1s1@", "00:0d:3a:1b:2c:02")
	end := e.stop(t).stderr
	contains(t, end, "nsenter --net="+e.ready.Netns+" ip link", "  Pooled\n", "The VM's state is Failed.", "The host saw 1 report and 0 events.")
	if _, err := os.Stat(e.ready.Netns); err == nil {
		if target, _ := os.Readlink(e.ready.Netns); strings.HasPrefix(target, "net:") {
			t.Errorf("%s is left: %s", e.ready.Netns, target)
		}
	}
}

// Without a lab the phases of a pool's VM are told too.
func TestEmulateTellsPhases(t *testing.T) {
	t.Parallel()
	file := writeFile(t, t.TempDir()+"/pool.json", `{
		"name": "pool", "description": "A pool.",
		"vm": {"id": "9b1f0c44-77aa-4d2e-8c11-5f60a2b3c4d6", "hostName": "mooring-01"},
		"pool": {"type": "Running", "owner": {"hostName": "jetty-07"}}
	}`)
	e := startEmulate(t, "--scenario", file)
	ask := func(method, url, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Metadata", "true")
		resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := ask(http.MethodPost, e.ready.WireServer+"/provisioning/health", `{"state":"Ready"}`); status != http.StatusCreated {
		t.Errorf("status %d", status)
	}
	// No time has to pass: the data is there at once.
	if status := ask(http.MethodGet, e.ready.IMDS+"/metadata/reprovisiondata?api-version=2019-06-01", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	end := e.stop(t).stderr
	if !regexp.MustCompile(`(?s)[0-9:.]{12}  Pooled\n.*  Reported\n.*  Owned\n`).MatchString(end) {
		t.Errorf("standard error has:\n%s", end)
	}
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		dir := t.TempDir()
		lab := startEmulate(t, "--lab", "--dmi", filepath.Join(dir, "sys"), "--medium", filepath.Join(dir, "medium")).stop(t).stderr
		contains(t, lab, " provision --network ephemeral --state= --dmi ", " --channel wireserver\n")
		if strings.Contains(lab, "Owned") {
			t.Errorf("in a lab outside of a pool:\n%s", lab)
		}
		contains(t, startEmulate(t, "--lab", "--dmi", filepath.Join(dir, "sys"), "--kvp-pool", filepath.Join(dir, "pool")).stop(t).stderr, " --kvp-pool "+filepath.Join(dir, "pool")+"\n")
	}
	if other := startEmulate(t).stop(t).stderr; strings.Contains(other, "Owned") {
		t.Errorf("outside of a pool:\n%s", other)
	}
}
