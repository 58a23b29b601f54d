package certs

// Cipher names how the wire server is to encrypt the certificates, in the request's
// header x-ms-cipher-name.
type Cipher string

// The ciphers. CipherAES128CBC comes with OAEP, CipherDESEDE3CBC with PKCS #1 v1.5.
const (
	CipherAES128CBC Cipher = "AES128_CBC"
	// CipherAES256CBC is announced (WALinuxAgent PR 3324) and can be read.
	CipherAES256CBC Cipher = "AES256_CBC"
	// CipherDESEDE3CBC is what cloud-init and Afterburn ask for, and old fabrics know.
	CipherDESEDE3CBC Cipher = "DES_EDE3_CBC"
)

// PossibleCipherValues returns the ciphers that the wire server is known to take, in the
// order in which WALinuxAgent asks for them.
func PossibleCipherValues() []Cipher { return []Cipher{CipherAES128CBC, CipherDESEDE3CBC} }
