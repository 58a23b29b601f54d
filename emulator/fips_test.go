package emulator_test

import (
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/programtest"
)

// In FIPS-only mode SHA-1 panics, by which the medium names keys: a scenario with
// certificates is refused, and the others are served. The mode is set for a whole
// program, so that this test runs itself.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	if !cms.FIPSOnly() {
		programtest.Rerun(t, ".", "GODEBUG=fips140=only")
		return
	}
	for _, s := range emulator.Scenarios() {
		if s.Name == "fingerprint-keys" {
			t.Error("a scenario with certificates is offered")
		}
	}
	s, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		t.Fatal(err)
	}
	s.VM.SSHKeys = []emulator.SSHKey{{Certificate: plainCertificate}}
	if _, err := emulator.NewFabric(s, nil); azprov.KindOf(err) != azprov.KindInternal {
		t.Errorf("error %v", err)
	}
}

// plainCertificate is the first of the scenario fingerprint-keys.
const plainCertificate = `-----BEGIN CERTIFICATE-----
MIIDHTCCAgWgAwIBAgIUWkPKzgrQooz3AeO2mgP1iyeqhNowDQYJKoZIhvcNAQEL
BQAwHTEbMBkGA1UEAwwScGlsb3RAZXhhbXBsZS50ZXN0MCAXDTI2MTEyMzE4MjY1
NVoYDzIxMjYxMDMwMTgyNjU1WjAdMRswGQYDVQQDDBJwaWxvdEBleGFtcGxlLnRl
c3QwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQDBjh0YvwUc6qmTP+vi
Fti9Ve88BX2d/E3z9rGo/cfUCBGyP0iCYRgEcZ9s0taG3ZET/PG5xx1MHpZIQ8y6
HBgPkT0gW/hU4tpVaM8CNind39zQI1ojc1ikuolrE4RtmNAVr8O37N2QpZWdfHA/
tx+QVeP+czCjnYtLKkpmSU3HljqN9TXkiRyrx0oy7Rb5OEXYqFnJGfDrcHrvbjr/
EgwIpA1MAFved/JZgTFTclXX4Qg4wNdA5KiFbkHvM6rebcibuvM1wvPxHJY01t6p
3xGE7cnygaqpElOAUF9GoCwnEZpy3w9bD9mybqg4adxB9hJJ0mAB9IN3Hq8nRwh6
MryTAgMBAAGjUzBRMB0GA1UdDgQWBBT5CM60D5eST/h7Vw26bmnlj6bLzzAfBgNV
HSMEGDAWgBT5CM60D5eST/h7Vw26bmnlj6bLzzAPBgNVHRMBAf8EBTADAQH/MA0G
CSqGSIb3DQEBCwUAA4IBAQAWtARO3IKPE9juRelVBHwRx8NrJt0zF6JpLECX/xK2
UnWcKawCjDCn1EqkxoK7kdPIUUJKFNMuyq6a/br0zsJHJBQ7nTaiX32LitQ9rJoo
L6c3a5a1ie9tsy0Ma6H8bhXLuMS3d7EOBWL2en4b2lUkcrRRdT1x+OMFuOknQ5Q2
774nSST3o8VgnW4n/DUUW6ZO1paXIWO0DVUQmD9Vub5YyGAIoyhQAlCh/7Vf+dyP
JYsTd9a3XRwVuew09/5BfQ/ZUUqWijqpsAsXelvlT0RNJBmrOGWCFrgtufMWn16M
3lEgACbDCwB7GiSRcR0cWTv1hUXTRJKydFHNUXI0uSCE
-----END CERTIFICATE-----
`
