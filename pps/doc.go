// Package pps takes a VM through Azure's pre-provisioning: pools of machines are booted
// before anybody owns them, report Ready once for the pool, wait, and get their owner's
// ovf-env.xml from IMDS. Then provisioning goes on with the owner's data, and a second
// Ready is the owner's.
//
// [Determine] says whether a VM is in a pool, and of which [Type]. A [Machine] does the
// waiting: its states and what leads from one to the other are the table that
// [Transitions] returns and docs/pps.md draws. The services, the network and the links of
// the kernel are small interfaces.
//
// An event of the kernel makes the machine fast, and none is needed: IMDS is asked in
// every state of waiting, and what it says wins. So an event that was lost costs time and
// never the VM.
//
// A reboot while the VM waits is found by a [Marker] in a [Store]. Without a store the
// machine reports to the pool again, and IMDS still gives it the owner's data.
package pps
