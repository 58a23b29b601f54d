// Package emulator plays the side of Azure that a VM sees while it boots: the
// Instance Metadata Service, the wire server, the provisioning medium and the
// firmware's tables. A [Fabric] is made from a [Scenario], holds the state of one
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
// encrypted for whoever asks, as on Azure; that openssl opens them is tested. The
// HostGAPlugin (port 32526) is not played.
//
// A VM of a pre-provisioning pool ([Pool]) becomes its owner's while it runs. A
// [LinkDriver] moves its network: [MemoryLinks] for tests, package emulator/lab for real.
// [Fabric.Timeline] says when what happened.
//
// Nothing needs root, the real addresses or a network: [Fabric.ListenInMemory]
// also works inside a testing/synctest bubble.
package emulator
