package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		options lab.Options
		want    string
	}{
		{"a name with a slash", lab.Options{Name: "../jetty"}, "the name is not one of"},
		{"a name in capitals", lab.Options{Name: "Jetty"}, "the name is not one of"},
		{"a name with a hole", lab.Options{Name: "jetty 7"}, "the name is not one of"},
		{"a long name", lab.Options{Name: strings.Repeat("a", 33)}, "the name is not one of"},
		{"a negative lease", lab.Options{LeaseTime: -time.Second}, "the lease time is negative"},
		{"a scenario without a VM", lab.Options{Scenario: emulator.Scenario{Name: "x"}}, "vm.id is missing"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := lab.New(t.Context(), &row.options)
			if azprov.KindOf(err) != azprov.KindMalformed || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}
