// Package ephemeral brings up the network that provisioning needs, before the operating
// system has one: it chooses the network interface, gets a DHCPv4 lease for it, configures
// address and routes, and takes all of that away again.
//
// [Network] does this by itself, for initramfs environments where nobody else does. Where
// systemd-networkd, NetworkManager or the like own the interfaces, [Managed] waits for what
// they configure and touches nothing. Both are a provision.Network. Both work on Linux
// only; elsewhere New and NewManaged return an error.
//
// Interfaces are known by their index from the moment they are chosen, so that one that
// udev renames meanwhile is still the same. What Network adds, and nothing else, is removed
// by [Network.Down]. What a process leaves that is killed in between is marked (addresses
// end in :azp, routes have protocol 165), and removed by the next Up of that interface, or
// by the kernel when the lease is over.
//
// A boot is shorter than most leases, but a VM may wait in a pool for days: while the
// network is up the lease is renewed in the background, until Down.
package ephemeral
