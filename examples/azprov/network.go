package main

import (
	"go.uber.org/zap"

	"github.com/azprov/azprov/ephemeral"
	"github.com/azprov/azprov/provision"
)

// The values of --network.
const (
	networkSystem  = "system"
	networkManaged = "managed"
	networkOwn     = "ephemeral"
)

// newNetwork is who brings the network up, nil if it is up.
func newNetwork(whose string, logger *zap.Logger) (provision.Network, error) {
	switch whose {
	case networkManaged:
		return ephemeral.NewManaged(&ephemeral.ManagedOptions{Logger: logger})
	case networkOwn:
		return ephemeral.New(&ephemeral.Options{Logger: logger})
	default:
		return nil, nil //nolint:nilnil // none is wanted
	}
}
