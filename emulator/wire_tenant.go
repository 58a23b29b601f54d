package emulator

import (
	_ "embed"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/cms"
)

// tenantCertificate and its key are of the tenant that every emulated VM belongs to. Everybody
// knows the key: it protects nothing.
//
//go:embed tenant/certificate.pem
var tenantCertificate string

//go:embed tenant/key.pem
var tenantKey []byte

// tenantName is what Azure calls it, in the hosting environment and in the PFX.
const tenantName = "TenantEncryptionCert"

// handedOut are the certificates that the wire server has for the VM beside those of SSH
// keys. A VM on Azure has one of its tenant at least, for which the settings of extensions
// are encrypted, and agents count on that: cloud-init 22.4 ends in an exception, and does
// not report Ready, where the wire server has none for it. In FIPS mode, in which nothing
// can be handed out, there is none.
func (vm VM) handedOut() []Certificate {
	if vm.Certificates != nil || cms.FIPSOnly() {
		return vm.Certificates
	}
	return []Certificate{{Certificate: tenantCertificate, PrivateKey: azprov.NewSecret(tenantKey), FriendlyName: tenantName}}
}
