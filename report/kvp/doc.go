// Package kvp writes to the host over Hyper-V's key-value pairs (KVP): a file of records
// that hv_kvp_daemon hands to the host, which reads them even when the machine has no
// network.
//
// A [Pool] is one such file. Several programs write to the same one, so every operation
// takes the locks that the daemon and the other agents respect, and a process that is
// killed in the middle of one leaves neither a torn record nor a mixture of two.
// [Channel] makes a pool the way of a provisioning report to the host; a [Queue] collects
// diagnostic events in cloud-init's form, without ever holding up its caller.
//
// In an initramfs, the pool that the daemon will read is the one below the new root, for
// example /sysroot/var/lib/hyperv/.kvp_pool_1: what is written elsewhere is gone with the
// initramfs. Before the first write of a boot, [Pool.ClearStale] removes what an image has
// brought along.
//
// Linux has the locks and the daemon. Elsewhere only the goroutines of one process are
// kept apart.
package kvp
