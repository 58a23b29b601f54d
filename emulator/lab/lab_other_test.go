//go:build !linux

package lab_test

import (
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator/lab"
)

func TestOffLinux(t *testing.T) {
	t.Parallel()
	if _, err := lab.New(t.Context(), nil); azprov.KindOf(err) != azprov.KindNotFound || !strings.Contains(err.Error(), "needs Linux") {
		t.Errorf("error %v", err)
	}
}
