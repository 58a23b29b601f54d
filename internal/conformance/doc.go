// Package conformance has tests alone: agents that were written against the real Azure, as
// Debian packages them, provision against the emulator, and beside them this SDK does. What
// they send is held against the transcripts in testdata, and docs/conformance.md tells of it.
//
// Each run has a machine of its own: a laboratory of emulator/lab for the network, and on it
// a sandbox (mount, PID, UTS and IPC namespaces) whose file system is a copy-on-write view
// of a root made by debootstrap(8) or mmdebstrap(1). The environment names the roots:
//
//	AZPROV_ROOTS=DIR    DIR/bookworm and DIR/trixie, with the packages of roots.txt
//
// Without them, or without the rights of root, the tests are skipped.
package conformance
