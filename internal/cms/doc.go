// Package cms opens the envelopes of the Cryptographic Message Syntax (RFC 5652) in which
// the wire server hands out certificates and passwords, and makes them for the emulator.
//
// It reads EnvelopedData, and AuthEnvelopedData (RFC 5083), for recipients whose RSA key
// transports the content's. The input is not trusted: everything is bounded by package
// ber, and what fails to decrypt fails in one way only, whichever step it was, so that
// nobody can use this program to find out about a key.
package cms
