package emulator_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf"
)

func TestPoolBeforeTheReport(t *testing.T) {
	for name, kind := range map[string]ovf.PreprovisionedVMType{
		"pps-running": "Running", "pps-savable": "Savable", "pps-osdisk": "PreprovisionedOSDisk",
	} {
		t.Run(name, func(t *testing.T) {
			pooled(t, name, true, nil, func(p *poolVM) {
				vm := p.fabric.VM()
				if got, want := p.instance(), vm.HostName+" "+string(kind); got != want {
					t.Errorf("IMDS tells %q, want %q", got, want)
				}
				medium, _ := p.fabric.Medium()
				environment, err := ovf.ReadFS(medium)
				if err != nil {
					t.Fatal(err)
				}
				if environment.Platform.PreprovisionedVM != azprov.SwitchOn || environment.Platform.PreprovisionedVMType != kind || environment.HostName != vm.HostName {
					t.Errorf("medium: %+v", environment.Platform)
				}
				time.Sleep(24 * time.Hour) // without a report nothing happens
				if resp := p.reprovisionData(); resp.status != http.StatusNotFound || resp.body != `{"error":"Not found"}` {
					t.Errorf("status %d: %s", resp.status, resp.body)
				}
				if p.report(busy); p.fabric.Phase() != emulator.PhasePooled || p.fabric.State() != emulator.StateInProgress {
					t.Errorf("phase %s, state %s", p.fabric.Phase(), p.fabric.State())
				}
				if len(p.events) > 0 {
					t.Errorf("%d events", len(p.events))
				}
				p.wantTimeline("Pooled 0")
			})
		})
	}
}

func TestPoolToOwner(t *testing.T) {
	for _, row := range []struct {
		scenario string
		driven   bool
		events   []emulator.LinkEvent
		timeline []string
		stale    int
	}{
		{
			"pps-running", true,
			[]emulator.LinkEvent{{Kind: "down", Index: 2, Name: "eth0", MAC: "00:0d:3a:1b:2c:01"}, {Kind: "up", Index: 2, Name: "eth0", MAC: "00:0d:3a:1b:2c:01"}},
			[]string{"Pooled 0", "Reported 10", "Disconnected 11", "Connected 11.5", "Owned 14", "Provisioned 20"},
			0,
		},
		{"pps-running", false, nil, []string{"Pooled 0", "Reported 10", "Owned 14", "Provisioned 20"}, 0},
		{
			"pps-savable", true,
			[]emulator.LinkEvent{{Kind: "detached", Index: 2, Name: "eth0", MAC: "00:0d:3a:1b:2c:02"}, {Kind: "attached", Index: 3, Name: "eth0", MAC: "00:0d:3a:4e:5f:02"}},
			[]string{"Pooled 0", "Reported 10", "Disconnected 11", "Connected 12", "Owned 14", "Provisioned 20"},
			1,
		},
		{"pps-savable", false, nil, []string{"Pooled 0", "Reported 10", "Owned 14", "Provisioned 20"}, 1},
	} {
		t.Run(fmt.Sprintf("%s driven %t", row.scenario, row.driven), func(t *testing.T) {
			pooled(t, row.scenario, row.driven, nil, func(p *poolVM) {
				time.Sleep(10 * time.Second)
				pool := p.instance()
				if got := p.report(ready); len(got) > 0 {
					t.Errorf("verdicts on the first report: %q", got)
				}
				if p.fabric.State() != emulator.StateReady || !p.fabric.Reports()[0].Pool {
					t.Errorf("state %s, reports %+v", p.fabric.State(), p.fabric.Reports())
				}
				time.Sleep(4*time.Second - time.Nanosecond) // the last moment before the data
				if resp := p.reprovisionData(); resp.status != http.StatusNotFound {
					t.Errorf("before the data: status %d", resp.status)
				}
				if got := p.instance(); got != pool {
					t.Errorf("before the data IMDS tells %q, want %q", got, pool)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if got := p.fabric.State(); got != emulator.StateNone {
					t.Errorf("the owner's state is %s", got)
				}
				p.wantOwner(pool, row.stale)
				time.Sleep(5 * time.Second)
				if got := p.report(ready); len(got) > 0 {
					t.Errorf("verdicts on the last report: %q", got)
				}
				if got := p.report(ready); len(got) > 0 { // another agent's, as waagent after cloud-init
					t.Errorf("verdicts on a repetition: %q", got)
				}
				p.wantTimeline(row.timeline...)
				if p.fabric.State() != emulator.StateReady || p.fabric.Reports()[1].Pool {
					t.Errorf("state %s, reports %+v", p.fabric.State(), p.fabric.Reports())
				}
				for _, want := range row.events {
					if got := <-p.events; got != want {
						t.Errorf("event %+v, want %+v", got, want)
					}
				}
				if len(p.events) > 0 {
					t.Errorf("%d more events", len(p.events))
				}
			})
		})
	}
}

// wantOwner reads what is the owner's once the data is there.
func (p *poolVM) wantOwner(pool string, stale int) {
	p.t.Helper()
	owner := p.fabric.Owner()
	resp := p.reprovisionData()
	environment, err := ovf.Parse([]byte(resp.body))
	if err != nil || resp.status != http.StatusOK {
		p.t.Fatalf("status %d, %v", resp.status, err)
	}
	if environment.HostName != owner.HostName || environment.UserName != "pilot" || !environment.CustomData.Equal(owner.CustomData) ||
		len(environment.PublicKeys) != 1 || environment.Platform.PreprovisionedVM != azprov.SwitchOff || environment.Platform.PreprovisionedVMType != "" {
		p.t.Errorf("reprovision data: %+v", environment)
	}
	time.Sleep(time.Second) // Keep below the rate limit.
	for range stale {
		if got := p.instance(); got != pool {
			p.t.Errorf("stale, IMDS tells %q, want %q", got, pool)
		}
	}
	for range 2 {
		if got, want := p.instance(), owner.HostName+" None"; got != want {
			p.t.Errorf("IMDS tells %q, want %q", got, want)
		}
	}
}

// The owner's data never comes before the network is back.
func TestPoolDataWaitsForTheNetwork(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "Owned 1.5", 1500 * time.Millisecond: "Owned 1.5", 1501 * time.Millisecond: "Owned 1.501"} {
		pooled(t, "pps-running", true, func(s *emulator.Scenario) { s.Pool.DataAfter = emulator.Duration(after) }, func(p *poolVM) {
			p.report(ready)
			if resp := p.reprovisionData(); resp.status != http.StatusNotFound {
				p.t.Errorf("before the switch: status %d", resp.status)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			p.wantTimeline("Pooled 0", "Reported 0", "Disconnected 1", "Connected 1.5", want)
		})
	}
}

func TestPoolOSDiskIsStopped(t *testing.T) {
	for _, driven := range []bool{true, false} {
		t.Run(fmt.Sprintf("driven %t", driven), func(t *testing.T) {
			pooled(t, "pps-osdisk", driven, nil, func(p *poolVM) {
				p.report(ready)
				time.Sleep(time.Hour)
				synctest.Wait()
				if resp := p.reprovisionData(); resp.status != http.StatusNotFound {
					t.Errorf("status %d", resp.status)
				}
				if len(p.events) > 0 {
					t.Errorf("%d events", len(p.events))
				}
				p.wantTimeline("Pooled 0", "Reported 0", "Stopped 2")
				if got := p.report(ready); !slices.Equal(got, []string{"Ready before the owner's data"}) {
					t.Errorf("verdicts %q", got)
				}
			})
		})
	}
}

func TestPoolRecovery(t *testing.T) {
	for _, driven := range []bool{true, false} {
		t.Run(fmt.Sprintf("driven %t", driven), func(t *testing.T) {
			pooled(t, "pps-recovery", driven, nil, func(p *poolVM) {
				if resp := p.reprovisionData(); resp.status != http.StatusNotFound {
					t.Errorf("at the start: status %d", resp.status)
				}
				if got := p.report(ready); !slices.Equal(got, []string{"Ready before the owner's data"}) {
					t.Errorf("verdicts %q", got) // the marker would have told
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				p.wantOwner("", 0)
				if got := p.report(ready); len(got) > 0 {
					t.Errorf("verdicts %q", got)
				}
				if len(p.events) > 0 {
					t.Errorf("%d events", len(p.events))
				}
				p.wantTimeline("Connected 0", "Owned 2", "Provisioned 3")
			})
		})
	}
}

func TestPoolKnobs(t *testing.T) {
	const garbage = "no XML"
	for _, row := range []struct {
		name         string
		edit         func(*emulator.Scenario)
		before, data int
		body         string
	}{
		{"another status before", func(s *emulator.Scenario) { s.Pool.NotYet = 410 }, 410, 200, ""},
		{"nothing with 200 before", func(s *emulator.Scenario) { s.Pool.NotYet = 200 }, 200, 200, ""},
		{"an empty document", func(s *emulator.Scenario) { s.Pool.Document = azprov.NewSecret(nil) }, 404, 200, ""},
		{"another document", func(s *emulator.Scenario) { s.Pool.Document = azprov.NewSecret([]byte(garbage)) }, 404, 200, garbage},
		{"a fault on top", func(s *emulator.Scenario) {
			s.IMDS.Faults = []emulator.Fault{{Path: "reprovisiondata", Status: 503, Times: 2}}
		}, 503, 503, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			pooled(t, "pps-running", false, row.edit, func(p *poolVM) {
				p.report(ready)
				if resp := p.reprovisionData(); resp.status != row.before || resp.status == 200 && resp.body != "" {
					t.Errorf("before: status %d, %q", resp.status, resp.body)
				}
				time.Sleep(4 * time.Second)
				if resp := p.reprovisionData(); resp.status != row.data || row.body != "" && resp.body != row.body {
					t.Errorf("after: status %d, %q", resp.status, resp.body)
				}
			})
		})
	}
}

// The ids of the pool end with it, and what faults and the limit keep from an agent was
// not read.
func TestPoolDataCountsWhenItArrives(t *testing.T) {
	fault := emulator.Fault{Path: "reprovisiondata", Status: 500}
	pooled(t, "pps-savable", false, func(s *emulator.Scenario) {
		s.IMDS.Faults = []emulator.Fault{fault, {Path: "extended", Kind: emulator.FaultTruncate}}
	}, func(p *poolVM) {
		g := goalState(p.t, p.fabric)
		p.report(ready)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if status, _ := report(p.t, p.fabric, g, ready); status != http.StatusGone {
			t.Errorf("with the goal state of the pool: status %d", status)
		}
		if owner := goalState(p.t, p.fabric); owner.Incarnation == g.Incarnation || owner.InstanceID == g.InstanceID || owner.ContainerID != g.ContainerID {
			t.Errorf("goal state %+v after %+v", owner, g)
		}
		if resp := p.reprovisionData(); resp.status != http.StatusInternalServerError {
			t.Errorf("status %d", resp.status)
		}
		if got := p.report(ready); !slices.Equal(got, []string{"Ready without the owner's data"}) {
			t.Errorf("verdicts %q", got)
		}
		if _, err := fetch(p.t, p.server.Client(), http.MethodGet, p.server.IMDSURL()+instance2023+"&extended=true", "", "Metadata: true"); err == nil {
			t.Error("the answer was not cut")
		}
		// The stale answer is still to come.
		for i, want := range []string{"mooring-22 Savable", "jetty-22 None"} {
			if got := p.instance(); got != want {
				t.Errorf("read %d: %q, want %q", i+1, got, want)
			}
		}
	})
}

// What the platform had decided before is the owner's too.
func TestPoolOwnerTakesOver(t *testing.T) {
	t.Parallel()
	s, err := emulator.LookupScenario("pps-running")
	if err != nil {
		t.Fatal(err)
	}
	s.VM.Generation, s.VM.Environment = 1, "AzureUSGovernment"
	s.Pool.Owner = emulator.VM{HostName: "jetty-21", UserName: "pilot", SSHKeys: []emulator.SSHKey{{KeyData: "ssh-ed25519 AAAA"}}}
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := f.VM()
	want.HostName, want.Name, want.UserName = "jetty-21", "jetty-21", "pilot"
	want.SSHKeys = []emulator.SSHKey{{KeyData: "ssh-ed25519 AAAA", Path: "/home/pilot/.ssh/authorized_keys"}}
	want.DisablePasswordAuthentication = azprov.SwitchUnset
	if !reflect.DeepEqual(want, f.Owner()) {
		t.Errorf("the owner's VM is %+v, want %+v", f.Owner(), want)
	}
	// And what the owner has of its own stays.
	s.Pool.Owner = f.VM()
	s.Pool.Owner.ID, s.Pool.Owner.Generation, s.Pool.Owner.Location, s.Pool.Owner.Size = azprov.VMID{1}, 2, "northeurope", "Standard_D4"
	s.Pool.Owner.Zone, s.Pool.Owner.SubscriptionID, s.Pool.Owner.ResourceGroup = "3", "other", "rg-other"
	s.Pool.Owner.Image.Offer, s.Pool.Owner.Environment, s.Pool.Owner.Interfaces = "other", "AzureChinaCloud", []emulator.Interface{}
	if f, err = emulator.NewFabric(s, nil); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.Pool.Owner, f.Owner()) {
		t.Errorf("the owner's VM is %+v, want %+v", f.Owner(), s.Pool.Owner)
	}
}

func TestPoolOwnerPatch(t *testing.T) {
	pooled(t, "pps-running", false, func(s *emulator.Scenario) {
		s.Pool.Instance = []byte(`{"extended":{"compute":{"ppsType":"Running"}}}`)
		s.IMDS.Instance = []byte(`{"extended":{"compute":{"ppsType":"Sleeping"}}}`)
	}, func(p *poolVM) {
		if got := p.instance(); got != "mooring-21 Sleeping" {
			t.Error(got)
		}
		p.report(ready)
		time.Sleep(4 * time.Second)
		if got := p.instance(); got != "jetty-21 Running" {
			t.Error(got)
		}
	})
}

func TestPoolRateLimit(t *testing.T) {
	pooled(t, "pps-running", false, nil, func(p *poolVM) {
		for second := range 3 {
			for i := range 8 {
				resp := p.reprovisionData()
				want, verdict := http.StatusNotFound, ""
				if i >= 5 {
					want, verdict = http.StatusTooManyRequests, "over 5 requests a second"
				}
				if resp.status != want || want == 429 && resp.body != `{"error":"Too many requests"}` {
					t.Errorf("second %d, request %d: status %d, %s", second, i+1, resp.status, resp.body)
				}
				wantVerdict(t, p.fabric, verdict)
			}
			time.Sleep(time.Second)
		}
		// Whoever asks four times a second is never refused.
		for i := range 100 {
			if resp := p.reprovisionData(); resp.status != http.StatusNotFound {
				t.Errorf("request %d: status %d", i+1, resp.status)
			}
			time.Sleep(250 * time.Millisecond)
		}
	})
}

func TestNothingPassesDuringTheOutage(t *testing.T) {
	for _, name := range []string{"pps-running", "pps-savable"} {
		t.Run(name, func(t *testing.T) {
			pooled(t, name, true, nil, func(p *poolVM) {
				p.report(ready)
				<-p.events
				if _, err := fetchInstance(p.t, p.server); !errors.Is(err, syscall.ENETUNREACH) {
					t.Errorf("during the outage: %v", err)
				}
				<-p.events
				if resp, err := fetchInstance(p.t, p.server); err != nil || resp.status != http.StatusOK {
					t.Errorf("after it: %v, status %d", err, resp.status)
				}
			})
		})
	}
}

// Secrets of the owner are kept out of the journal from the first request on.
func TestPoolOwnerSecrets(t *testing.T) {
	pooled(t, "pps-running", false, func(s *emulator.Scenario) {
		s.Pool.Owner.Password = azprov.NewSecret([]byte("Bollard+Rope/9"))
		s.Pool.Owner.UserData = azprov.NewSecret([]byte("tide tables"))
	}, func(p *poolVM) {
		for _, secret := range []string{"Bollard+Rope/9", "tide%20tables", "dGlkZSB0YWJsZXM="} {
			_, _ = fetch(p.t, p.server.Client(), http.MethodGet, p.server.IMDSURL()+"/metadata/versions?x="+secret, "", "Metadata: true")
			wantVerdict(t, p.fabric, "secret in URL")
		}
	})
}
