package main

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/internal/atomicfile"
	"github.com/azprov/azprov/wireserver"
)

const certsOutput = `

For each certificate its thumbprint (SHA-1; what ovf-env.xml calls a fingerprint), whether
its private key came with it, its subject, and the SSH key made of it. With --output json
that is a list of objects with thumbprint, hasPrivateKey, subject, sshKey and warnings; an
empty thumbprint is a private key that came without a certificate.

Private keys are never printed. --out DIR writes THUMBPRINT.crt and THUMBPRINT.prv, in PEM,
readable by their owner only.`

func (a *app) certsCommand() *cobra.Command {
	get, decode := a.certsGetCommand(), a.certsDecodeCommand()
	return groupCommand("certs", "Read the VM's certificates, or decode a document with certificates",
		"Opens the certificates and private keys that the wire server hands out.", get, decode)
}

func (a *app) certsGetCommand() *cobra.Command {
	var name agentName
	var out string
	cipher := choice{name: "CIPHER"}
	for _, known := range append(certs.PossibleCipherValues(), certs.CipherAES256CBC) {
		cipher.known = append(cipher.known, string(known))
	}
	command := &cobra.Command{
		Use: "get", Short: "Read this VM's certificates from the wire server",
		Long: "Makes a transport key, asks the wire server for this VM's certificates, and opens them." + certsOutput,
		Example: `  azprov certs get
  azprov certs get --out ./certs
  azprov certs get --output json | jq -r '.[].sshKey'`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "read the certificates"},
		RunE: func(command *cobra.Command, _ []string) error {
			bundle, err := a.getCertificates(command, name.value, certs.Cipher(cipher.value))
			if err != nil {
				return err
			}
			return a.showCertificates(bundle, out)
		},
	}
	flags := command.Flags()
	flags.StringVar(&out, "out", "", "`DIR` to write certificates and private keys to")
	flags.Var(&cipher, "cipher", "ask for this cipher alone (default AES128_CBC, then DES_EDE3_CBC)")
	a.agentNameFlag(flags, &name)
	return command
}

func (a *app) certsDecodeCommand() *cobra.Command {
	var key, certificate, out string
	command := &cobra.Command{
		Use: "decode --key FILE DOCUMENT", Short: "Open a document with certificates",
		Long: `Opens a CertificateFile document of the wire server, or the CMS envelope that is in it (DER,
base64, PEM, or S/MIME as WALinuxAgent keeps it in Certificates.p7m), with the transport key
that it was encrypted for. FILE and DOCUMENT are in PEM or DER; DOCUMENT may be - for
standard input.` + certsOutput,
		Example: `  azprov certs decode --key TransportPrivate.pem --cert TransportCert.pem Certificates.xml
  azprov certs decode --key TransportPrivate.pem --out ./certs Certificates.p7m`,
		Args: oneArgument("DOCUMENT"), Annotations: map[string]string{annotationAction: "decode the certificates"},
		RunE: func(_ *cobra.Command, args []string) error {
			bundle, err := a.decodeCertificates(key, certificate, args[0])
			if err != nil {
				return err
			}
			return a.showCertificates(bundle, out)
		},
	}
	flags := command.Flags()
	flags.StringVar(&key, "key", "", "`FILE` with the transport key: RSA, PKCS #8 or PKCS #1")
	flags.StringVar(&certificate, "cert", "", "`FILE` with the transport key's certificate; needed if the document is for several")
	flags.StringVar(&out, "out", "", "`DIR` to write certificates and private keys to")
	return command
}

func (a *app) getCertificates(command *cobra.Command, agentName string, cipher certs.Cipher) (certs.Bundle, error) {
	ctx, cancel := a.context(command.Context())
	defer cancel()
	if err := a.requireAzure(a.global.wireServer); err != nil {
		return certs.Bundle{}, err
	}
	client, err := a.wireServerClient(a.logger(a.err), agentName, a.tellRetry)
	if err != nil {
		return certs.Bundle{}, err
	}
	key, err := certs.GenerateTransportKey(ctx, nil)
	if err != nil {
		return certs.Bundle{}, err
	}
	options := &wireserver.GetCertificatesOptions{}
	if cipher != "" {
		options.Ciphers = []certs.Cipher{cipher}
	}
	resp, err := client.GetCertificates(ctx, key, options)
	return resp.Bundle, err
}

func (a *app) decodeCertificates(keyFile, certificateFile, document string) (certs.Bundle, error) {
	if keyFile == "" {
		return certs.Bundle{}, usagef("it is the private key whose certificate was sent with the request", "--key FILE is missing")
	}
	var files [3][]byte
	for i, path := range []string{keyFile, certificateFile, document} {
		if path == "" {
			continue
		}
		var err error
		if files[i], err = a.readFile(path); err != nil {
			return certs.Bundle{}, err
		}
	}
	key, err := certs.ParseTransportKey(files[0], files[1])
	if err != nil {
		return certs.Bundle{}, err
	}
	envelope, warning, err := envelopeOf(files[2])
	if err != nil || warning != "" {
		return certs.Bundle{Warnings: []string{warning}}, err
	}
	return certs.Decode(envelope, key)
}

// envelopeOf finds the CMS envelope in a document. A warning says why there is none that
// could be opened.
func envelopeOf(document []byte) (envelope []byte, warning string, err error) {
	text := bytes.TrimSpace(utf8Text(document))
	if bytes.HasPrefix(text, []byte("<")) {
		file, err := goalstate.ParseCertificateFile(document)
		if err == nil && !file.HasPkcs7Blob() {
			warning = "the format " + azprov.OneLine(file.Format) + " is not known"
		}
		return file.Data, warning, err
	}
	if block, _ := pem.Decode(document); block != nil {
		return block.Bytes, "", nil
	}
	// S/MIME has header lines, which have a colon, as base64 never has.
	for bytes.HasPrefix(text, []byte("MIME-")) || bytes.HasPrefix(text, []byte("Content-")) {
		_, rest, _ := bytes.Cut(text, []byte("\n"))
		text = bytes.TrimSpace(rest)
	}
	compact := strings.Join(strings.FieldsFunc(string(text), unicode.IsSpace), "")
	if decoded, err := base64.StdEncoding.DecodeString(compact); err == nil {
		return decoded, "", nil
	}
	return document, "", nil // DER, or what its parser will refuse
}

// certificateDocument is a certificate in the JSON output.
type certificateDocument struct {
	Thumbprint    string   `json:"thumbprint"`
	HasPrivateKey bool     `json:"hasPrivateKey"`
	Subject       string   `json:"subject"`
	SSHKey        string   `json:"sshKey"`
	Warnings      []string `json:"warnings"`
}

// showCertificates writes the files first: what is printed is there.
func (a *app) showCertificates(bundle certs.Bundle, out string) error {
	if out != "" {
		n, err := writeCertificates(bundle, out)
		if err != nil {
			return err
		}
		defer a.remark("%s written to %s", plural(n, "file", "files"), out)
	}
	printWarnings(a.err, bundle.Warnings)
	documents := make([]certificateDocument, 0, len(bundle.Certificates))
	for i := range bundle.Certificates {
		c := &bundle.Certificates[i]
		documents = append(documents, certificateDocument{c.Thumbprint, c.HasPrivateKey(), c.Subject, c.SSHKey, c.Warnings})
	}
	return a.print(documents, func(w io.Writer) {
		for _, d := range documents {
			printCertificate(w, d)
		}
		if len(documents) == 0 {
			a.remark("There are no certificates.")
		}
	})
}

func printCertificate(w io.Writer, d certificateDocument) {
	title, private := d.Thumbprint, "no"
	if title == "" {
		title = "no certificate"
	}
	if d.HasPrivateKey {
		private = "yes"
	}
	_, _ = fmt.Fprintln(w, title)
	printFacts(w, "  ", []fact{
		{name: "subject", value: d.Subject},
		{name: "private key", value: private},
		{name: "SSH key", value: describeKey(d.SSHKey)},
	})
	for _, warning := range d.Warnings {
		_, _ = fmt.Fprintln(w, "  warning:", azprov.OneLine(warning))
	}
}

// writeCertificates writes every certificate and key to a file of its own, with the names
// that WALinuxAgent gives them.
func writeCertificates(bundle certs.Bundle, dir string) (files int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fileError("write", dir, err)
	}
	write := func(name, kind string, der []byte) error {
		if len(der) == 0 {
			return nil
		}
		files++
		path := filepath.Join(dir, name)
		if err := atomicfile.Write(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})); err != nil {
			return fileError("write", path, err)
		}
		return nil
	}
	for i := range bundle.Certificates {
		c := &bundle.Certificates[i]
		name := c.Thumbprint
		if name == "" {
			name = fmt.Sprintf("key-%d", i+1)
		}
		if err := write(name+".crt", "CERTIFICATE", c.DER); err != nil {
			return 0, err
		}
		if err := write(name+".prv", "PRIVATE KEY", c.PrivateKey.Reveal()); err != nil {
			return 0, err
		}
	}
	return files, nil
}
