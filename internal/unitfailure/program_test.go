package unitfailure_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/internal/unitfailure"
)

func TestRunProgram(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "sh")
	for script, row := range map[string]struct{ out, err string }{
		"echo aye":                              {"aye\n", ""},
		"echo aye; echo 'no wind' >&2; exit 3":  {"aye\n", "no wind"},
		"exit 3":                                {"", "exit status 3"},
		"while :; do echo 0123456789; done":     {strings.Repeat("0123456789\n", 91)[:1000], ""},
		"echo aye; exec sleep 60":               {"aye\n", "no answer in time"},
		"cat":                                   {"", ""}, // no input
		"yes 'much to say' >&2 | head -c 99999": {"", ""},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(script, "yes") {
				script = "head -c 99999 /dev/zero >&2"
			}
			patience := 20 * time.Second
			if strings.Contains(script, "sleep") {
				patience = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			out, err := unitfailure.RunProgram(ctx, 1000, "sh", "-c", script)
			if string(out) != row.out || (err == nil) != (row.err == "") || err != nil && err.Error() != row.err {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	if _, err := unitfailure.RunProgram(t.Context(), 1000, "no-such-program-here"); err == nil {
		t.Error("it ran")
	}
	// What a child of a program that has ended still holds open is left to it.
	start := time.Now()
	out, _ := unitfailure.RunProgram(t.Context(), 1000, "sh", "-c", "sleep 30 & echo aye")
	if took := time.Since(start); string(out) != "aye\n" || took > 15*time.Second {
		t.Errorf("%q after %v", out, took)
	}
}

// TestTimeout: programs that hang cost the time that is set, all together.
func TestTimeout(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context, _ int, _ string, _ ...string) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	start := time.Now()
	f, err := unitfailure.Read(t.Context(), unit, &unitfailure.Options{Run: hang, Timeout: 100 * time.Millisecond})
	if err != nil || f.State != unitfailure.StateUnknown || len(f.Warnings) != 2 || time.Since(start) > 10*time.Second {
		t.Errorf("%+v, %v", f, err)
	}
}
