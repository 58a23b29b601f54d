package emulator_test

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// A guest that keeps the lock of its pool holds its reports up by a second, however many,
// and nothing else at all.
func TestPoolThatIsLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := newHostVM(t, theTestScenario(t), emulator.Options{})
		upsert(good())(vm)
		guest, err := os.OpenFile(vm.pool.Path(), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = guest.Close() }()
		if err := syscall.Flock(int(guest.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		g, begin := goalState(t, vm.fabric), time.Now()
		ended := make(chan time.Duration, 3)
		for range cap(ended) {
			go func() {
				if status, _ := report(t, vm.fabric, g, ready); status != http.StatusOK {
					t.Errorf("status %d", status)
				}
				ended <- time.Since(begin)
			}()
		}
		time.Sleep(time.Second / 2)
		if vm.fabric.State() != emulator.StateNone || vm.fabric.Phase() != emulator.PhaseOwned || time.Since(begin) != time.Second/2 {
			t.Error("the fabric waits")
		}
		for range cap(ended) {
			if took := <-ended; took != time.Second {
				t.Errorf("a report took %v", took)
			}
		}
		found := 0
		for _, entry := range vm.fabric.Journal() {
			for _, verdict := range entry.Verdicts {
				if strings.HasPrefix(verdict, "KVP pool cannot be read: ") && strings.Contains(verdict, "somebody else has the lock") {
					found++
				}
			}
		}
		if found < 1 || vm.fabric.State() != emulator.StateReady { // who only waited for another reader says nothing
			t.Errorf("%d entries about the lock", found)
		}
		if err := vm.fabric.CollectKVP(t.Context()); azprov.KindOf(err) != azprov.KindTimeout {
			t.Error(err)
		}
		if err := guest.Close(); err != nil {
			t.Fatal(err)
		}
		collect(vm)
		if len(vm.fabric.HostReports()) != 1 {
			t.Error("it is not read once the lock is gone")
		}
	})
}
