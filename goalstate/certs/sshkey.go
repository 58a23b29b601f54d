package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"math/big"

	"github.com/azprov/azprov"
)

// SSHKey returns a public key as a line of authorized_keys without a comment: ssh-rsa
// (RFC 4253, section 6.6), ecdsa-sha2-nistp256, -nistp384 and -nistp521 (RFC 5656) and
// ssh-ed25519 (RFC 8709). For any other key the error is Malformed.
func SSHKey(public crypto.PublicKey) (string, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return sshLine("ssh-rsa", mpint(big.NewInt(int64(key.E))), mpint(key.N)), nil
	case *ecdsa.PublicKey:
		if name, known := sshCurves[key.Curve]; known {
			if point, err := key.ECDH(); err == nil {
				return sshLine("ecdsa-sha2-"+name, []byte(name), point.Bytes()), nil
			}
		}
		return "", noSSHKey("OpenSSH knows no such curve")
	case ed25519.PublicKey:
		return sshLine("ssh-ed25519", key), nil
	}
	return "", noSSHKey("OpenSSH knows no such kind of key")
}

var sshCurves = map[elliptic.Curve]string{
	elliptic.P256(): "nistp256", elliptic.P384(): "nistp384", elliptic.P521(): "nistp521",
}

func noSSHKey(message string) error {
	return &azprov.Error{Op: "certs.SSHKey", Kind: azprov.KindMalformed, Message: message}
}

// sshLine encodes the parts as strings (RFC 4251, section 5) behind the key's type.
func sshLine(kind string, parts ...[]byte) string {
	blob := appendString(nil, []byte(kind))
	for _, part := range parts {
		blob = appendString(blob, part)
	}
	return kind + " " + base64.StdEncoding.EncodeToString(blob)
}

func appendString(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) //nolint:gosec // At most 1 MiB, as the container.
}

// mpint is a positive number: its bytes, with a zero before a first bit that would make
// it negative.
func mpint(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		return append([]byte{0}, b...)
	}
	return b
}
