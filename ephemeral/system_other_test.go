//go:build !linux

package ephemeral_test

import (
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ephemeral"
)

func TestNotHere(t *testing.T) {
	t.Parallel()
	if _, err := ephemeral.New(nil); azprov.KindOf(err) != azprov.KindInternal {
		t.Errorf("%v", err)
	}
	if _, err := ephemeral.NewManaged(nil); azprov.KindOf(err) != azprov.KindInternal {
		t.Errorf("%v", err)
	}
}
