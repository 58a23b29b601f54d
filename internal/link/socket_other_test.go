//go:build !linux

package link_test

import (
	"errors"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/link"
)

func TestNotOnThisSystem(t *testing.T) {
	t.Parallel()
	if _, err := link.Watch(t.Context(), nil); azprov.KindOf(err) != azprov.KindNotFound || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
