// Package media finds and reads the provisioning medium: the small disc on which a VM on
// Azure gets its ovf-env.xml, and so the password and the custom data, which come in no
// other way.
//
// [Open] looks for the disc, waits for one that is late, and reads it; [Medium.Eject] opens
// its drive; [Cache] keeps a redacted copy for later boots. [ReadVolume] and [OpenDisc] are
// for discs and images that are known.
//
// The disc carries a UDF or an ISO 9660 volume. It is read here, in user space, from the
// device or from an image of it: no kernel module is needed, which hardened systems do
// not have, no mount, and no privilege beyond opening the device. Volumes are not
// trusted: a damaged or hostile one is an error of type [azprov.Error], never a panic,
// and costs a bounded time and memory.
package media
