package emulator_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	outcome "github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/kvp"
)

// hostVM is a VM with a pool file.
type hostVM struct {
	t      *testing.T
	fabric *emulator.Fabric
	pool   *kvp.Pool
}

// newHostVM makes one of a scenario, with a pool file that is not there yet.
func newHostVM(t *testing.T, s emulator.Scenario, options emulator.Options) *hostVM {
	t.Helper()
	options.KVPPool = filepath.Join(t.TempDir(), ".kvp_pool_1")
	f, err := emulator.NewFabric(s, &options)
	if err != nil {
		t.Fatal(err)
	}
	return &hostVM{t, f, kvp.Open(&kvp.Options{Path: options.KVPPool, Create: true})}
}

// theTestScenario is testScenario, parsed.
func theTestScenario(t *testing.T) emulator.Scenario {
	t.Helper()
	s, err := emulator.ParseScenario([]byte(testScenario))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// good and bad are the records of an agent; each edit changes the report before.
func good(edit ...func(*outcome.Report)) string { return recordOf(outcome.ResultSuccess, "", edit) }

func bad(reason string, edit ...func(*outcome.Report)) string {
	return recordOf(outcome.ResultError, reason, edit)
}

func recordOf(result outcome.Result, reason string, edit []func(*outcome.Report)) string {
	r := outcome.Report{
		Result: result, Reason: reason, Agent: "pilot/1", Timestamp: time.Now(),
		VMID: "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf",
	}
	for _, e := range edit {
		e(&r)
	}
	return r.Encode(outcome.DialectCloudInit)
}

func vmID(id string) func(*outcome.Report) { return func(r *outcome.Report) { r.VMID = id } }

func age(d time.Duration) func(*outcome.Report) {
	return func(r *outcome.Report) { r.Timestamp = time.Now().Add(-d) }
}

// step is what an agent or the host does.
type step func(*hostVM)

// upsert replaces the report, as this module and azure-init do.
func upsert(value string) step {
	return func(vm *hostVM) {
		vm.t.Helper()
		if err := vm.pool.Upsert(vm.t.Context(), kvp.ReportKey, value); err != nil {
			vm.t.Fatal(err)
		}
	}
}

// add appends a report, as cloud-init does.
func add(value string) step { return record(kvp.Record{Key: kvp.ReportKey, Value: value}) }

func record(records ...kvp.Record) step {
	return func(vm *hostVM) {
		vm.t.Helper()
		if err := vm.pool.Append(vm.t.Context(), records...); err != nil {
			vm.t.Fatal(err)
		}
	}
}

// raw writes a report that this module would not.
func raw(value string) step {
	b := make([]byte, kvp.RecordSize)
	copy(b, kvp.ReportKey)
	copy(b[512:], value)
	return writePool(b)
}

// writePool writes the file.
func writePool(b []byte) step {
	return func(vm *hostVM) {
		vm.t.Helper()
		if err := os.WriteFile(vm.pool.Path(), b, 0o600); err != nil {
			vm.t.Fatal(err)
		}
	}
}

func empty(vm *hostVM) {
	vm.t.Helper()
	if err := vm.pool.Clear(vm.t.Context()); err != nil {
		vm.t.Fatal(err)
	}
}

func collect(vm *hostVM) {
	vm.t.Helper()
	if err := vm.fabric.CollectKVP(vm.t.Context()); err != nil {
		vm.t.Error(err)
	}
}

// post sends a health report, which is accepted.
func post(health goalstate.Health) step {
	return func(vm *hostVM) {
		vm.t.Helper()
		if status, text := report(vm.t, vm.fabric, goalState(vm.t, vm.fabric), health); status != http.StatusOK {
			vm.t.Fatalf("status %d: %s", status, text)
		}
	}
}

func failure(description string) step {
	health := failed
	health.Description = description
	return post(health)
}

// observed are the entries about reports: the channel, the state or the result, and the
// verdicts.
func (vm *hostVM) observed() []string {
	var all []string
	for _, entry := range vm.fabric.Journal() {
		words := []string{string(entry.Service)}
		switch {
		case entry.HostReport != nil:
			words = append(words, string(entry.HostReport.Report.Result))
		case entry.Report != nil:
			words = append(words, string(entry.Report.State))
		case len(entry.Verdicts) == 0:
			continue
		}
		all = append(all, strings.Join(append(words, entry.Verdicts...), " | "))
	}
	return all
}
