// Package emulator plays the side of Azure that a VM sees while it boots: the
// Instance Metadata Service, the wire server, the HostGAPlugin, the provisioning medium
// and the firmware's tables. A [Fabric] is made from a [Scenario], holds the state of one
// VM, and writes down every request with its verdict.
//
//	scenario, err := emulator.LookupScenario("linux-vm")
//	fabric, err := emulator.NewFabric(scenario, nil)
//	server := fabric.ListenInMemory(ctx)
//	defer server.Close()
//	resp, err := server.Client().Get(server.IMDSURL() + "/metadata/versions")
//
// The services refuse what the real ones refuse and accept what they accept, so
// that an agent which passes here is not surprised there. The emulator imports neither
// client, or both could be wrong in the same way; what they share is the documents of
// ovf and goalstate, which are held against captured ones. Certificates are
// encrypted for whoever asks, as on Azure; that openssl opens them is tested.
//
// The HostGAPlugin is there because WALinuxAgent reports nothing without it: versions,
// health, vmSettings with their ETag, and what takes status and logs. There is no storage
// behind it: status and logs are looked at and dropped, and artifacts are missing.
//
// The guest also has the ear of the host: with [Options.KVPPool] the fabric reads the file
// in which it leaves its report and its events by Hyper-V's key-value pairs (KVP). Azure
// collects them when it sees that provisioning has ended, and as we understand it takes a
// failure from there if no health report comes. Here both channels are in the journal, and
// a verdict says where they contradict each other, or what is wrong with the record:
//
//	secret in the KVP report                       the worst of all: support reads it
//	secret in a KVP event
//	KVP report cannot be decoded                   it has no result=
//	KVP report is neither success nor error
//	KVP report is not UTF-8                        the host gets no record at all
//	KVP report over 1022 characters                the host does not get it
//	KVP report from before the boot                an image has brought it along; it counts for nothing
//	KVP report names another VM                    in either byte order
//	KVP success after KVP error                    a failure is final
//	KVP success before the owner's data            a pool's first Ready is nobody's
//	KVP success after Failed, KVP error after Ready
//	Failed while the KVP report says success
//	Ready while the KVP report says error
//	KVP report and Failed have different reasons
//	KVP pool cannot be read: …
//
// cloud-init leaves an error for each attempt of DHCP that fails, and earns the one about
// success after error if a later one succeeds.
//
// A VM of a pre-provisioning pool ([Pool]) becomes its owner's while it runs. A
// [LinkDriver] moves its network: [MemoryLinks] for tests, package emulator/lab for real.
// [Fabric.Timeline] says when what happened.
//
// The journal ([Fabric.Journal]) keeps bodies too if [Options.Bodies] says so, always without
// the VM's secrets. [Transcript] makes text of it that has no ids and times, for golden files;
// [DiffConversations] compares two, and [NewReplay] answers as one has recorded it.
// [ParseJournal] reads what was written.
//
// A [Fleet] is many VMs in one process, made from one scenario and told apart by the address
// that their requests come from, or by ports. Each has its own identity, state and journal;
// what they have in common is kept once.
//
// A scenario may also change by time or by event ([Step]) and say what must hold at the end
// ([Assertion]); [Fabric.Check] holds it against the journal. docs/scenarios.md has the form.
//
// Nothing needs root, the real addresses or a network: [Fabric.ListenInMemory]
// also works inside a testing/synctest bubble.
package emulator
