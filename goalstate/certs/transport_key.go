package certs

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/wait"
)

const (
	// DefaultBits is the size of a transport key. WALinuxAgent's have as many;
	// cloud-init's have 3,072 since 25.1, which take several times as long to make.
	DefaultBits = 2048
	// subject of the certificate, as all agents have it.
	subject = "LinuxTransport"
	// validity is WALinuxAgent's. The day before is for a clock that is slow.
	validity  = 730 * 24 * time.Hour
	clockSkew = 24 * time.Hour
	// keyIDSize is that of a subject key identifier (RFC 7093, method 1).
	keyIDSize    = 20
	serialOctets = 16
)

// TransportKey is an RSA key and the self-signed certificate that is sent to the wire
// server, so that it can encrypt for the key. It is made for one boot and never written
// down. It is immutable, safe for concurrent use, and does not print.
type TransportKey struct {
	// A closure hides the key from package fmt.
	key         func() *rsa.PrivateKey
	certificate *x509.Certificate // nil if only the key is known
}

// TransportKeyOptions holds the optional parameters of [GenerateTransportKey].
type TransportKeyOptions struct {
	// Bits is 2048, 3072 or 4096; 0 stands for [DefaultBits].
	Bits int
}

// GenerateTransportKey makes a transport key, which takes a good part of a second, more
// on a slow or busy machine. When ctx ends it returns; what is under way then ends by
// itself and is thrown away.
//
// Errors: Timeout and Canceled when ctx ends, Internal for a size that is not offered.
func GenerateTransportKey(ctx context.Context, options *TransportKeyOptions) (*TransportKey, error) {
	return StartTransportKey(options).Wait(ctx)
}

// PendingTransportKey is a transport key in the making.
type PendingTransportKey struct {
	done chan struct{}
	key  *TransportKey
	err  error
}

// StartTransportKey begins to make a transport key and returns at once, so that it is
// ready when the network is. options may be nil.
func StartTransportKey(options *TransportKeyOptions) *PendingTransportKey {
	bits := DefaultBits
	if options != nil && options.Bits != 0 {
		bits = options.Bits
	}
	p := &PendingTransportKey{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.key, p.err = generate(bits)
	}()
	return p
}

// Wait returns the key when it is made. Its errors are those of [GenerateTransportKey].
// It may be called any number of times.
func (p *PendingTransportKey) Wait(ctx context.Context) (*TransportKey, error) {
	select {
	case <-p.done:
		return p.key, p.err
	default:
	}
	select {
	case <-p.done:
		return p.key, p.err
	case <-ctx.Done():
		return nil, wait.Ended(opGenerate, "while the transport key was made", ctx.Err())
	}
}

const opGenerate = "certs.GenerateTransportKey"

func generate(bits int) (*TransportKey, error) {
	if bits != 2048 && bits != 3072 && bits != 4096 {
		return nil, &azprov.Error{
			Op: opGenerate, Kind: azprov.KindInternal, Message: "a transport key has 2048, 3072 or 4096 bits",
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, &azprov.Error{Op: opGenerate, Kind: azprov.KindInternal, Message: "cannot make an RSA key", Last: err}
	}
	certificate, err := selfSigned(key)
	if err != nil {
		return nil, &azprov.Error{Op: opGenerate, Kind: azprov.KindInternal, Message: "cannot make the certificate", Last: err}
	}
	return newTransportKey(key, certificate), nil
}

func newTransportKey(key *rsa.PrivateKey, certificate *x509.Certificate) *TransportKey {
	return &TransportKey{key: func() *rsa.PrivateKey { return key }, certificate: certificate}
}

// selfSigned makes the certificate with the extensions that openssl req -x509 gives it,
// which is how the other agents make theirs. The subject key identifier is how the
// envelope will name its recipient.
func selfSigned(key *rsa.PrivateKey) (*x509.Certificate, error) {
	serial := make([]byte, serialOctets)
	_, _ = rand.Read(serial) // Never fails (crypto/rand, since Go 1.24).
	now := time.Now().UTC().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: subject},
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(validity),
		BasicConstraintsValid: true, IsCA: true,
		SubjectKeyId: keyID(&key.PublicKey),
	}
	template.AuthorityKeyId = template.SubjectKeyId
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// keyID is the identifier of RFC 7093, which unlike that of RFC 5280 needs no SHA-1.
func keyID(key *rsa.PublicKey) []byte {
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(key))
	return sum[:keyIDSize]
}

// ParseTransportKey makes a transport key of one that was written down: the private key
// in PKCS #8 or PKCS #1, and its certificate, both in PEM or DER. Without a certificate
// (nil) the key opens only what has a single recipient, and cannot be sent.
//
// Errors: Malformed (not such a key or certificate, or not of each other), TooLarge (over
// 64 KiB).
func ParseTransportKey(key, certificate []byte) (*TransportKey, error) {
	const op = "certs.ParseTransportKey"
	malformed := func(message string, last error) error {
		return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: message, Last: last}
	}
	if len(key) > maxKeyFile || len(certificate) > maxKeyFile {
		return nil, &azprov.Error{Op: op, Kind: azprov.KindTooLarge, Message: "a key or certificate of over 16 KiB"}
	}
	der, err := fromPEM(key, "PRIVATE KEY")
	if err != nil {
		return nil, malformed("no RSA private key", err)
	}
	private, err := parseRSAKey(der)
	if err != nil {
		return nil, malformed("no RSA private key in PKCS #8 or PKCS #1", err)
	}
	if len(certificate) == 0 {
		return newTransportKey(private, nil), nil
	}
	if der, err = fromPEM(certificate, "CERTIFICATE"); err != nil {
		return nil, malformed("no X.509 certificate", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, malformed("no X.509 certificate", err)
	}
	if !private.PublicKey.Equal(parsed.PublicKey) {
		return nil, malformed("the certificate is another key's", nil)
	}
	return newTransportKey(private, parsed), nil
}

// maxKeyFile is twice an RSA key of 8,192 bits in PEM. Go checks a key's numbers, which
// takes seconds for one that fills 64 KiB.
const maxKeyFile = 16 << 10

// fromPEM returns the first block whose type ends so, or b itself if it has no PEM.
func fromPEM(b []byte, suffix string) ([]byte, error) {
	block, rest := pem.Decode(b)
	if block == nil {
		return b, nil
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		switch {
		case !strings.HasSuffix(block.Type, suffix):
		case strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, errors.New("it is encrypted: take its passphrase off first")
		default:
			return block.Bytes, nil
		}
	}
	return nil, errors.New("there is PEM, but none of it is a " + suffix)
}

func parseRSAKey(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, &UnsupportedError{What: "kind of key", OID: "that is not RSA"}
	}
	return key, nil
}

// Certificate returns the certificate in DER, nil if only the key is known.
func (k *TransportKey) Certificate() []byte {
	if k == nil || k.certificate == nil {
		return nil
	}
	return bytes.Clone(k.certificate.Raw)
}

// HeaderValue returns the certificate as the header x-ms-guest-agent-public-x509-cert
// wants it: its DER in base64 on one line.
func (k *TransportKey) HeaderValue() string {
	return base64.StdEncoding.EncodeToString(k.Certificate())
}

// Open decrypts any CMS envelope for the key: certificates, or the password of a
// just-in-time account, which is UTF-16 text.
//
// Errors: Malformed (it does not decrypt, whatever the cause; or it is no envelope),
// Protected (it is for another key, in an algorithm that is not known, or not allowed in
// FIPS-only mode), TooLarge (over 1 MiB).
func (k *TransportKey) Open(envelope []byte) (azprov.Secret, error) {
	plain, err := k.open(envelope)
	if err != nil {
		return azprov.Secret{}, containerError("certs.TransportKey.Open", whatEnvelope, err)
	}
	return azprov.NewSecret(plain), nil
}

func (k *TransportKey) open(envelope []byte) ([]byte, error) {
	if k == nil || k.key == nil {
		return nil, errNoKey
	}
	return cms.Open(envelope, cms.Recipient{Key: k.key(), Certificate: k.certificate})
}

// String tells which key it is without showing it.
func (k *TransportKey) String() string {
	return "certs.TransportKey(" + Thumbprint(k.Certificate()) + ")"
}

// GoString is [TransportKey.String] for %#v.
func (k *TransportKey) GoString() string { return k.String() }
