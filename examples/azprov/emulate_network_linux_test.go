package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/programtest"
)

// ownNetwork plays both sides of a pool with this program, on a network that the emulator
// knows nothing of: the shell is the platform's namespace and has the real addresses, the
// guest is at the other end of a veth pair, and the shell makes the events of the link when
// the guest has reported. Its process namespace ends with it, and with all that it started.
const ownNetwork = `set -eu
cd "$DIR"
ip link set lo up
ip addr add 169.254.169.254/32 dev lo
ip addr add 168.63.129.16/32 dev lo
unshare --net sleep 600 &
guest=$!
while [ "$(readlink /proc/$guest/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
inside() { nsenter --net=/proc/$guest/ns/net "$@"; }
plug() {
	ip link add fab0 type veth peer name eth0 netns "$guest"
	ip addr add 10.0.0.1/24 dev fab0
	ip link set fab0 up
	inside ip addr add 10.0.0.4/24 dev eth0
	inside ip link set eth0 up
	inside ip route add default via 10.0.0.1
}
await() { until grep -q "$1" "$2"; do sleep 0.02; done; }
plug
touch ready states
"$AZPROV" emulate --scenario "$SCENARIO" --dmi sys --medium medium --journal journal.jsonl \
	--listen-imds 169.254.169.254:80 --listen-wireserver 168.63.129.16:80 --listen-hostga 168.63.129.16:32526 >ready 2>phases &
fabric=$!
await hostga ready
inside "$AZPROV" provision --dmi sys --ovf medium --kvp-pool pool --state state >states 2>trouble &
agent=$!
await "Report → " states
eval "$EVENTS"
code=0
wait $agent || code=$?
kill -INT $fabric
wait $fabric
exit $code
`

// Nobody tells the emulator of links here: the owner's data comes by time alone, while
// somebody else exchanges the guest's network.
func TestPoolOnSomebodyElsesNetwork(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and veth")
	}
	programtest.Need(t, "unshare", "nsenter", "ip", "sh")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		scenario, events string
		want             []string
	}{
		{
			"pps-running", "ip link set fab0 down; sleep 0.3; ip link set fab0 up",
			[]string{"WaitSwitch → Connect (switched)", "Poll → Done (data)", "host name", "jetty-21"},
		},
		{
			"pps-savable", "ip link del fab0; sleep 0.3; plug",
			[]string{"WaitDetach → WaitAttach (detached)", "WaitAttach → Probe (attached)", "Probe → Poll (primary)", "Poll → Done (data)", "jetty-22"},
		},
	} {
		t.Run(row.scenario, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, "unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", ownNetwork)
			command.Env = append(os.Environ(), runMain+"=1", "AZPROV="+self, "DIR="+dir, "SCENARIO="+row.scenario, "EVENTS="+row.events)
			out, err := command.CombinedOutput()
			read := func(name string) string {
				b, _ := os.ReadFile(filepath.Join(dir, name))
				return string(b)
			}
			if err != nil {
				t.Fatalf("%v: %s\n%s\n%s\n%s", err, out, read("states"), read("trouble"), read("phases"))
			}
			contains(t, read("states"), append(row.want, "Ready: accepted at")...)
			contains(t, read("ready"), `"imds":"http://169.254.169.254:80"`, `"wireserver":"http://168.63.129.16:80"`, `"hostga":"http://168.63.129.16:32526"`)
			contains(t, read("phases"), "  Pooled\n", "  Reported\n", "  Owned\n", "  Provisioned\n", "The VM's state is Ready.", "no remarks.")
			if phases := read("phases"); strings.Contains(phases, "Disconnected") {
				t.Errorf("the emulator moved a link:\n%s", phases)
			}
			wantReports(t, read("journal.jsonl"))
		})
	}
}

// wantReports wants a Ready in the pool and one for the owner.
func wantReports(t *testing.T, journal string) {
	t.Helper()
	var pools []bool
	for line := range strings.Lines(journal) {
		var entry emulator.Entry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Report != nil && entry.Report.State == emulator.StateReady {
			pools = append(pools, entry.Report.Pool)
		}
	}
	if len(pools) != 2 || !pools[0] || pools[1] {
		t.Errorf("Ready in the pool: %v, want one, and then one for the owner", pools)
	}
}
