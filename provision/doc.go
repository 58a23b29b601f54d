// Package provision takes a VM from its first boot to Ready: it gathers what the
// platform says of the machine, merges it, lets the caller apply it, and reports the
// outcome, once.
//
// The one call is [Run]:
//
//	result, err := provision.Run(ctx, &provision.Options{
//		Apply: func(ctx context.Context, m *provision.Machine) error {
//			return setUp(m.HostName, m.User)
//		},
//	})
//
// Agents that run in several processes (Ignition has one per stage) use
// [Provisioner.Collect] in the first and [Provisioner.Report] in the last. A Machine as
// JSON has its secrets redacted and cannot be read back: pass VMID and PPSType on, for
// the Outcome, and let each process collect what else it needs.
//
// What the package cannot know it takes through small interfaces: [Medium] reads
// ovf-env.xml, [Network] brings an interface up, [KeyResolver] turns fingerprints
// into keys, [HostChannel] is the second way to the host.
//
// A [Reporter] alone is for programs that only report: one that runs when another has
// failed, a check that decides about Ready. Its latch knows what others have told. A
// crash of the agent itself is reported by package report/crash:
//
//	reporter, err := provision.NewReporter(nil)
//	done, err := crash.Watch(reporter.ReportFailure)
//	defer done()
package provision
