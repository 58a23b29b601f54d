package main

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/internal/atomicfile"
	"github.com/azprov/azprov/wireserver"
)

const certsOutput = `

For each certificate its thumbprint (SHA-1; what ovf-env.xml calls a fingerprint), whether
its private key came with it, its subject, and the SSH key made of it. With --output json
that is a list of objects with thumbprint, hasPrivateKey, subject, sshKey and warnings; an
empty thumbprint is a private key that came without a certificate. On failure it is one
object with error.

Private keys are never printed. --out DIR writes THUMBPRINT.crt and THUMBPRINT.prv, in PEM,
readable by their owner only.`

func (a *app) certsCommand() *cobra.Command {
	get, decode := a.certsGetCommand(), a.certsDecodeCommand()
	return groupCommand("certs", "Read the VM's certificates, or decode a document with certificates",
		"Opens the certificates and private keys that the wire server hands out.", get, decode)
}

func (a *app) certsGetCommand() *cobra.Command {
	var name agentName
	var out directory
	cipher := choice{name: "CIPHER"}
	for _, known := range append(certs.PossibleCipherValues(), certs.CipherAES256CBC) {
		cipher.known = append(cipher.known, string(known))
	}
	command := &cobra.Command{
		Use: "get", Short: "Read this VM's certificates from the wire server",
		Long: "Makes a transport key, asks the wire server for this VM's certificates, and opens them." + certsOutput,
		Example: `  azprov certs get
  azprov certs get --out ./certs
  azprov certs get --output json | jq -r 'arrays[] | .sshKey | select(. != "")'`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "read the certificates"},
		RunE: func(command *cobra.Command, _ []string) error {
			bundle, err := a.getCertificates(command, name.value, certs.Cipher(cipher.value))
			if err != nil {
				return err
			}
			return a.showCertificates(bundle, out.value)
		},
	}
	flags := command.Flags()
	flags.Var(&out, "out", "`DIR` to write certificates and private keys to")
	flags.Var(&cipher, "cipher", "ask for this cipher alone (default AES128_CBC, then DES_EDE3_CBC)")
	a.agentNameFlag(flags, &name)
	return command
}

func (a *app) certsDecodeCommand() *cobra.Command {
	var key, certificate string
	var out directory
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
			return a.showCertificates(bundle, out.value)
		},
	}
	flags := command.Flags()
	flags.StringVar(&key, "key", "", "`FILE` with the transport key: RSA, PKCS #8 or PKCS #1")
	flags.StringVar(&certificate, "cert", "", "`FILE` with the transport key's certificate; needed if the document is for several")
	flags.Var(&out, "out", "`DIR` to write certificates and private keys to")
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
	pending := certs.StartTransportKey(nil)
	gs, err := client.GetGoalState(ctx, nil)
	if err != nil {
		return certs.Bundle{}, err
	}
	key, err := pending.Wait(ctx)
	if err != nil {
		return certs.Bundle{}, err
	}
	options := &wireserver.GetCertificatesOptions{GoalState: &gs.GoalState}
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
	paths := []string{keyFile, certificateFile, document}
	if i := slices.Index(paths, "-"); i >= 0 && slices.Contains(paths[i+1:], "-") {
		return certs.Bundle{}, usagef("", "only one of the files can be standard input")
	}
	var files [3][]byte
	for i, path := range paths {
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
	if bytes.HasPrefix(bytes.TrimSpace(utf8Text(files[2])), []byte("<")) {
		return certs.DecodeFile(files[2], key)
	}
	envelope, err := envelopeOf(files[2])
	if err != nil {
		return certs.Bundle{}, err
	}
	return certs.Decode(envelope, key)
}

// envelopeOf unwraps a CMS envelope from PEM, S/MIME or base64. What is none of these is
// taken for DER, which its parser will refuse if it is not.
func envelopeOf(document []byte) ([]byte, error) {
	wrong := func(message string) error {
		return &azprov.Error{
			Op: "certs decode", Kind: azprov.KindMalformed, Message: message,
			Hint: "want a CertificateFile document, or the CMS envelope from one",
		}
	}
	if block, _ := pem.Decode(document); block != nil {
		if block.Type != "CMS" && block.Type != "PKCS7" {
			return nil, wrong("the document is a " + azprov.OneLine(block.Type) + " in PEM")
		}
		return block.Bytes, nil
	}
	text := bytes.ReplaceAll(utf8Text(document), []byte("\r\n"), []byte("\n"))
	// The head of S/MIME has colons, which base64 never has, and ends with a blank line.
	if head, body, found := bytes.Cut(text, []byte("\n\n")); found && bytes.Contains(head, []byte(":")) {
		text = body
	}
	compact := bytes.Join(bytes.Fields(text), nil)
	if len(compact) == 0 {
		return nil, wrong("the document is empty")
	}
	if decoded, err := base64.StdEncoding.DecodeString(string(compact)); err == nil {
		return decoded, nil
	}
	return document, nil
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
