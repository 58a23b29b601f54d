// Package pfx reads PFX files (PKCS #12, RFC 7292) with an empty password, as the wire
// server sends them inside an envelope: any number of keys and certificates, in any
// order, with or without each other. For the emulator it writes them.
//
// The input is not trusted. What it may cost is bounded: its size and nesting by package
// ber, the entries, and the iterations of all key derivations together.
package pfx

import (
	"errors"
	"strings"
	"unicode/utf16"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// maxEntries bounds keys and certificates together. A VM has a handful; Azure allows a
// few dozen secrets on one.
const maxEntries = 256

var (
	errVersion = errors.New("a PFX of a version other than 3")
	errEntries = errors.New("over 256 keys and certificates")
	// ErrMAC is the error for a file whose integrity check fails: it was damaged, or
	// has a password.
	ErrMAC = errors.New("the PFX is damaged, or has a password: its MAC is wrong")
)

const (
	version = 3

	oidData          = "1.2.840.113549.1.7.1"
	oidEncryptedData = "1.2.840.113549.1.7.6"

	oidBags          = "1.2.840.113549.1.12.10.1."
	oidKeyBag        = oidBags + "1"
	oidShroudedBag   = oidBags + "2"
	oidCertBag       = oidBags + "3"
	oidSafeBag       = oidBags + "6"
	oidX509          = "1.2.840.113549.1.9.22.1"
	oidFriendlyName  = "1.2.840.113549.1.9.20"
	oidLocalKeyID    = "1.2.840.113549.1.9.21"
	bytesOfBMPLetter = 2
)

// Attributes of an entry. Both may be absent.
type Attributes struct {
	FriendlyName string
	// LocalKeyID is the same on a key and its certificate.
	LocalKeyID []byte
}

// Key is a private key.
type Key struct {
	Attributes
	// PKCS8 is the PrivateKeyInfo, plain.
	PKCS8 []byte
}

// Certificate is an X.509 certificate, whose DER has not been looked at.
type Certificate struct {
	Attributes
	DER []byte
}

// Contents is what a PFX holds, in its order.
type Contents struct {
	Keys         []Key
	Certificates []Certificate
	// Passed is why something was passed over: an algorithm, mostly, that is not known.
	Passed []error
}

// Decode reads a PFX with an empty password. What is encrypted in a way that is not known
// is passed over if there is anything else.
//
// The errors are [ErrMAC], those of package cms, and what is wrong with the encoding.
func Decode(b []byte) (Contents, error) {
	d := &decoder{}
	if err := d.file(b); err != nil {
		return Contents{}, err
	}
	if c := d.contents; len(c.Keys)+len(c.Certificates) == 0 && len(c.Passed) > 0 {
		return Contents{}, c.Passed[0]
	}
	return d.contents, nil
}

type decoder struct {
	contents Contents
	work     budget
	// password is the form of the empty one that this file's MAC goes with.
	password []byte
}

func (d *decoder) file(b []byte) error {
	document, err := ber.Parse(b)
	if err != nil {
		return err
	}
	fields := document.Children()
	if v := fields.Int(); fields.Err() == nil && v != version {
		return errVersion
	}
	info := fields.Take(ber.Sequence).Children()
	oid := info.OID()
	switch {
	case fields.Err() != nil:
		return fields.Err()
	case info.Err() != nil:
		return info.Err()
	case oid != oidData:
		return &cms.UnsupportedError{What: "integrity mode of a PFX", OID: oid}
	}
	safe, err := explicitOctets(info)
	if err != nil {
		return err
	}
	if fields.More() {
		mac := fields.Take(ber.Sequence)
		if err := fields.Err(); err != nil {
			return err
		}
		if err := d.verify(mac, safe); err != nil {
			return err
		}
	}
	return d.authenticatedSafe(safe)
}

// explicitOctets reads an OCTET STRING below an explicit [0].
func explicitOctets(fields *ber.Cursor) ([]byte, error) {
	inner := fields.Take(ber.Context(0)).Children()
	if err := fields.Err(); err != nil {
		return nil, err
	}
	b := inner.Octets()
	return b, inner.Err()
}

// authenticatedSafe reads the parts, each of which is encrypted as a whole, or not.
func (d *decoder) authenticatedSafe(b []byte) error {
	document, err := ber.Parse(b)
	if err != nil {
		return err
	}
	parts := document.Children()
	for parts.More() {
		info := parts.Take(ber.Sequence).Children()
		oid := info.OID()
		if err := info.Err(); err != nil {
			return err
		}
		switch oid {
		case oidData:
			var plain []byte
			if plain, err = explicitOctets(info); err == nil {
				err = d.safeContents(plain)
			}
		case oidEncryptedData:
			err = d.encryptedData(info)
		default:
			err = &cms.UnsupportedError{What: "part of a PFX", OID: oid}
		}
		if err = d.pass(err); err != nil {
			return err
		}
	}
	return parts.Err()
}

// pass keeps an error of something that can be passed over, and returns any other.
func (d *decoder) pass(err error) error {
	var unsupported *cms.UnsupportedError
	if errors.As(err, &unsupported) || errors.Is(err, cms.ErrFIPS) {
		if len(d.contents.Passed) < maxEntries {
			d.contents.Passed = append(d.contents.Passed, err)
		}
		return nil
	}
	return err
}

func (d *decoder) encryptedData(info *ber.Cursor) error {
	data := info.Take(ber.Context(0)).Children().Take(ber.Sequence)
	algorithm, ciphertext, err := cms.OpenEncrypted(data)
	if err != nil {
		return err
	}
	plain, err := d.decrypt(algorithm, ciphertext)
	if err != nil {
		return err
	}
	return d.safeContents(plain.Raw)
}

func (d *decoder) safeContents(b []byte) error {
	document, err := ber.Parse(b)
	if err != nil {
		return err
	}
	return d.bags(document.Children())
}

func (d *decoder) bags(bags *ber.Cursor) error {
	for bags.More() {
		if len(d.contents.Keys)+len(d.contents.Certificates) >= maxEntries {
			return errEntries
		}
		fields := bags.Take(ber.Sequence).Children()
		oid := fields.OID()
		value := fields.Take(ber.Context(0)).Children()
		if err := fields.Err(); err != nil {
			return err
		}
		attributes, err := parseAttributes(fields)
		if err == nil {
			err = d.pass(d.bag(oid, value, attributes))
		}
		if err != nil {
			return err
		}
	}
	return bags.Err()
}

// bag reads the value of one bag. Kinds that hold neither keys nor certificates are
// passed over without a word.
func (d *decoder) bag(oid string, value *ber.Cursor, attributes Attributes) error {
	switch oid {
	case oidKeyBag:
		key := value.Take(ber.Sequence)
		if value.Err() == nil {
			d.contents.Keys = append(d.contents.Keys, Key{attributes, key.Raw})
		}
	case oidShroudedBag:
		fields := value.Take(ber.Sequence).Children()
		algorithm, ciphertext := fields.Take(ber.Sequence), fields.Octets()
		if err := fields.Err(); err != nil {
			return err
		}
		key, err := d.decrypt(algorithm, ciphertext)
		if err != nil {
			return err
		}
		d.contents.Keys = append(d.contents.Keys, Key{attributes, key.Raw})
	case oidCertBag:
		fields := value.Take(ber.Sequence).Children()
		if kind := fields.OID(); fields.Err() != nil || kind != oidX509 {
			return fields.Err()
		}
		der, err := explicitOctets(fields)
		if err != nil {
			return err
		}
		d.contents.Certificates = append(d.contents.Certificates, Certificate{attributes, der})
	case oidSafeBag: // bags in a bag; the document's depth bounds this
		return d.bags(value.Take(ber.Sequence).Children())
	}
	return value.Err()
}

func parseAttributes(fields *ber.Cursor) (Attributes, error) {
	var a Attributes
	set, there := fields.Optional(ber.Set)
	if !there {
		return a, fields.Err()
	}
	list := set.Children()
	for list.More() {
		attribute := list.Take(ber.Sequence).Children()
		oid := attribute.OID()
		values := attribute.Take(ber.Set).Children()
		if err := attribute.Err(); err != nil {
			return a, err
		}
		value := values.Next()
		if values.Err() != nil {
			continue // an attribute without a value says nothing
		}
		switch oid {
		case oidFriendlyName:
			a.FriendlyName = bmpText(value.Content)
		case oidLocalKeyID:
			a.LocalKeyID = value.Content
		}
	}
	return a, list.Err()
}

// bmpText decodes a BMPString, big-endian UTF-16. The platform's has a terminator.
func bmpText(b []byte) string {
	units := make([]uint16, 0, len(b)/bytesOfBMPLetter)
	for ; len(b) >= bytesOfBMPLetter; b = b[bytesOfBMPLetter:] {
		units = append(units, uint16(b[0])<<8|uint16(b[1]))
	}
	return strings.TrimRight(string(utf16.Decode(units)), "\x00")
}
