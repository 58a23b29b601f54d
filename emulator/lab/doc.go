// Package lab gives the emulated fabric a network: a namespace in which IMDS, the wire
// server and the HostGAPlugin have their real addresses and ports, and another, the guest, with an interface
// eth0 that a DHCP server answers on. Agents run in the guest without being told of any
// address. When a scenario's VM leaves its pool, the guest's carrier really goes down and
// up, or its interface really vanishes and comes back.
//
//	scenario, err := emulator.LookupScenario("pps-savable")
//	l, err := lab.New(ctx, &lab.Options{Scenario: scenario})
//	defer l.Close()
//	out, err := l.Command(ctx, "dhclient", "-1", "eth0").CombinedOutput()
//
// It needs Linux and the rights of root (unshare(1) with --user and --map-root-user gives
// enough of them). The machine's own network is neither used nor changed: the namespaces
// are held by open files, so that nothing is left when the process ends, even by
// SIGKILL, unless they were given names.
package lab
