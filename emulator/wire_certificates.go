package emulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // The protocol names certificates by it.
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

// envelopes are the layouts that Azure uses, by the name in x-ms-cipher-name. The third
// is announced (WALinuxAgent PR 3324).
var envelopes = map[string]cms.Envelope{
	"AES128_CBC":   {Content: cms.AES128CBC, OAEP: crypto.SHA1},
	"DES_EDE3_CBC": {Content: cms.DESEDE3CBC},
	"AES256_CBC":   {Content: cms.AES256CBC, OAEP: crypto.SHA1},
}

const (
	defaultCipher = "AES128_CBC" // WALinuxAgent, commit 54cd6246
	laterCipher   = "DES_EDE3_CBC"
)

// contentsOf collects what the wire server hands out: the certificates of SSH keys, then
// the others, each with its key, if there is one. path is what the VM is called.
func contentsOf(vm VM, path string) (pfx.Contents, error) {
	var c pfx.Contents
	add := func(field, certificate, key, name string) error {
		attributes := pfx.Attributes{FriendlyName: name}
		if key != "" {
			attributes.LocalKeyID = binary.LittleEndian.AppendUint32(nil, uint32(len(c.Keys)+1)) //nolint:gosec // A handful.
			der := pemBlock(key, "PRIVATE KEY")
			if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
				return malformed("emulator.NewFabric", field+".privateKey is no private key in PKCS #8 and PEM")
			}
			c.Keys = append(c.Keys, pfx.Key{Attributes: attributes, PKCS8: der})
		}
		if certificate != "" {
			der := pemBlock(certificate, "CERTIFICATE")
			if _, err := x509.ParseCertificate(der); err != nil {
				return malformed("emulator.NewFabric", field+".certificate is no X.509 certificate in PEM")
			}
			c.Certificates = append(c.Certificates, pfx.Certificate{Attributes: attributes, DER: der})
		}
		return nil
	}
	for i, key := range vm.SSHKeys {
		if err := add(fmt.Sprintf("%s.sshKeys[%d]", path, i), key.Certificate, "", ""); err != nil {
			return pfx.Contents{}, err
		}
	}
	for i, entry := range vm.handedOut() {
		field := fmt.Sprintf("%s.certificates[%d]", path, i)
		if entry.Certificate == "" && entry.PrivateKey.Len() == 0 {
			return pfx.Contents{}, malformed("emulator.NewFabric", field+" has neither a certificate nor a private key")
		}
		if err := add(field, entry.Certificate, entry.PrivateKey.RevealString(), entry.FriendlyName); err != nil {
			return pfx.Contents{}, err
		}
	}
	if len(c.Keys)+len(c.Certificates) > 0 && cms.FIPSOnly() {
		return pfx.Contents{}, &azprov.Error{
			Op: "emulator.NewFabric", Kind: azprov.KindInternal, Last: cms.ErrFIPS,
			Message: "the platform's certificates cannot be made in FIPS-only mode",
		}
	}
	return c, nil
}

// pemBlock returns the DER of a text that is one PEM block of that type, else nil.
func pemBlock(text, kind string) []byte {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != kind {
		return nil
	}
	return block.Bytes
}

// storedCertificates says what the certificates are for: those of SSH keys, and those that
// come with their private key, by their friendly names or, as Azure calls them, Cert0My. The
// others are the issuers of these.
func (vm VM) storedCertificates() []goalstate.StoredCertificate {
	var stored []goalstate.StoredCertificate
	add := func(thumbprint, name string) {
		if thumbprint == "" {
			return
		}
		if name == "" {
			name = fmt.Sprintf("Cert%dMy", len(stored))
		}
		stored = append(stored, goalstate.StoredCertificate{
			Name: name, CertificateID: "sha1:" + thumbprint, StoreName: "My", ConfigurationLevel: "System",
		})
	}
	for _, key := range vm.SSHKeys {
		add(key.thumbprint(), "")
	}
	for _, entry := range vm.handedOut() {
		if entry.PrivateKey.Len() > 0 {
			add(thumbprintOf(entry.Certificate), entry.FriendlyName)
		}
	}
	return stored
}

// thumbprint is what the medium calls a key's fingerprint; empty without a certificate.
func (k SSHKey) thumbprint() string { return thumbprintOf(k.Certificate) }

// thumbprintOf names a certificate in PEM; empty if it is none.
func thumbprintOf(certificate string) string {
	der := pemBlock(certificate, "CERTIFICATE")
	if der == nil {
		return ""
	}
	sum := sha1.Sum(der) //nolint:gosec // See the import.
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// imdsKeyData is keyData in IMDS. That a certificate shows there in PEM, with CR LF, is
// how cloud-init knows that the wire server is to be asked.
func (k SSHKey) imdsKeyData() string {
	if k.KeyData == "" {
		return strings.ReplaceAll(k.Certificate, "\n", "\r\n")
	}
	return k.KeyData
}

// certificates answers with the VM's certificates, encrypted for the requester. What the
// real service says to a certificate that cannot be used is not known; that it is 400,
// and which, is our choice.
func (v *vmState) certificates(req *request) response {
	if req.method != http.MethodGet {
		return notAllowed(req)
	}
	recipient, wrong := requester(req)
	if wrong != "" {
		return wireError(http.StatusBadRequest, "InvalidCertificate", "The certificate of the guest agent cannot be used.", wrong)
	}
	name := req.header.Get(goalstate.HeaderCipherName)
	if name == "" {
		name = v.ciphers[0]
	}
	if !slices.Contains(v.ciphers, name) {
		return wireError(http.StatusBadRequest, "InvalidCipher", "The cipher is not supported.",
			"unsupported "+goalstate.HeaderCipherName)
	}
	file := goalstate.CertificateFile{
		Version: wireVersion2012, Incarnation: "1", Format: goalstate.FormatPkcs7BlobWithPfxContents,
	}
	if v.bundle.certificates+v.bundle.keys > 0 {
		var err error
		if file.Data, err = seal(v.bundle, envelopes[name], recipient); err != nil {
			return wireError(http.StatusBadRequest, "InvalidCertificate", "The certificate of the guest agent cannot be used.",
				"nothing can be encrypted for the certificate: "+err.Error())
		}
	}
	resp := wireAnswer(http.StatusOK, file.Encode())
	if len(recipient.SubjectKeyId) == 0 {
		resp.verdicts = append(resp.verdicts, "certificate without a subject key identifier: what Azure does then is not known")
	}
	return resp
}

func seal(bundle *bundle, envelope cms.Envelope, recipient *x509.Certificate) ([]byte, error) {
	b, err := bundle.encode()
	if err != nil {
		return nil, err
	}
	return envelope.Seal(b, recipient)
}

// requester reads the certificate in the request; wrong says why it cannot be used.
func requester(req *request) (c *x509.Certificate, wrong string) {
	text := req.header.Get(goalstate.HeaderGuestAgentCertificate)
	if text == "" {
		return nil, "missing " + goalstate.HeaderGuestAgentCertificate
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, goalstate.HeaderGuestAgentCertificate + " is not base64 on one line"
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		return nil, goalstate.HeaderGuestAgentCertificate + " is no X.509 certificate in DER"
	}
	if _, ok := c.PublicKey.(*rsa.PublicKey); !ok {
		return nil, "the key in " + goalstate.HeaderGuestAgentCertificate + " is not RSA"
	}
	return c, ""
}
