// Package azprov holds what the packages of the SDK share: the error type and
// its kinds, secrets that do not print, the identity of a VM, and the platform's
// well-known addresses.
//
// azprov takes a virtual machine on Azure from its first boot to Ready. A boot
// agent that wants the whole course imports package provision; one that needs a
// single service imports imds, wireserver or ovf alone. This package imports
// nothing but the standard library, and not net/http, so that a small program
// (a systemd generator, an initramfs helper) stays small.
package azprov
