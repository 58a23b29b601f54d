// Package certs opens the certificates that Azure's wire server hands out: it makes the
// key they are encrypted for, decrypts them, and turns them into SSH keys.
//
// The data of a goalstate.CertificateFile is a CMS envelope around a PFX file with an
// empty password. It is read in Go alone, without the openssl program, and in bounds: a
// damaged or hostile container is an error of type [azprov.Error], within a second, and
// never a panic. What one certificate suffers from is a warning on that certificate and
// costs no other.
//
// Certificates are containers here. Nobody's signature, name or date is checked: the
// platform is trusted because it is the platform, and a clock may be wrong at first boot.
package certs
