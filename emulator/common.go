package emulator

import (
	"encoding/json"
	"sync"

	"github.com/azprov/azprov/internal/pfx"
)

// common is what the VMs of one scenario share: what is dear to make or to keep, and the same
// for all of them. It is not changed.
type common struct {
	secrets      *secretTable
	first, owner half
	settings     object // the patch over vmSettings
}

// half is what is common of the VM as it begins, or of its owner's.
type half struct {
	bundle *bundle
	patch  object // over the instance document
}

// bundle is what the wire server hands out. Each requester gets it encrypted anew.
type bundle struct {
	certificates, keys int
	encode             func() ([]byte, error) // Makes it once: deriving the keys takes long.
}

func newCommon(s *Scenario) (c *common, err error) {
	c = &common{}
	if c.first, err = newHalf(s.VM, "vm", s.IMDS.Instance, "imds.instance"); err != nil {
		return nil, err
	}
	documents := []object{instanceDocument(*s, s.VM, "", c.first.patch)}
	if s.isPool() {
		if c.owner, err = newHalf(s.Pool.Owner, "pool.owner", s.Pool.Instance, "pool.instance"); err != nil {
			return nil, err
		}
		documents = append(documents, instanceDocument(*s, s.Pool.Owner, "", c.owner.patch))
	}
	if c.settings, err = parsePatch(s.HostGA.VMSettings, "hostGA.vmSettings"); err != nil {
		return nil, err
	}
	c.secrets = newSecretTable(s.secrets(documents...))
	return c, nil
}

func newHalf(vm VM, path string, patch json.RawMessage, field string) (h half, err error) {
	contents, err := contentsOf(vm, path)
	if err != nil {
		return h, err
	}
	h.bundle = newBundle(contents)
	h.patch, err = parsePatch(patch, field)
	return h, err
}

func newBundle(contents pfx.Contents) *bundle {
	return &bundle{
		certificates: len(contents.Certificates),
		keys:         len(contents.Keys),
		encode:       sync.OnceValues(func() ([]byte, error) { return pfx.Encode(contents) }),
	}
}
