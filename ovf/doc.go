// Package ovf reads and writes ovf-env.xml, the document on a VM's provisioning
// medium that says who the machine is to be: host name, user, password, SSH
// keys, custom data and a few settings of the platform. The pre-provisioning
// service sends the same document as reprovision data.
//
// [Parse] is a tolerant reader. It compares names by namespace URI and not by
// prefix, ignores elements it does not know, takes UTF-8 and UTF-16, and lives
// without the platform section, parts of which Azure Stack leaves out. What is
// odd but usable it says in [Environment.Warnings]. What is ambiguous (an element
// twice) or missing (the host name) is an error with the reason text that
// Azure's support pages know.
//
// The document holds the password in clear text. It and the custom data are
// [azprov.Secret] in the model; [Redacted] makes a copy of the document that may
// be kept on disk.
//
// The package does no I/O but [ReadFS], which reads from a file system that the
// caller opened. Finding and ejecting the medium is not its work.
package ovf
