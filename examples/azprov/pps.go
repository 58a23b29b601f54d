package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/atomicfile"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/wireserver"
)

// ppsFlags are those of the verbs of a pool.
type ppsFlags struct {
	ovf    string
	media  string
	marker string
	kind   choice
	to     string
}

func (a *app) ppsCommand() *cobra.Command {
	f := &ppsFlags{kind: choice{name: "TYPE", known: []string{
		string(pps.TypeRunning), string(pps.TypeSavable), string(pps.TypePreprovisionedOSDisk), string(pps.TypeUnknown),
	}}}
	kind := &cobra.Command{
		Use: "type", Short: "Tell whether this VM waits in a pool, and in which",
		Long: `Tells how this VM gets its owner, by the marker of an earlier boot, the medium and IMDS:
None (it has one), Running, Savable, PreprovisionedOSDisk, or Unknown (it had reported
to its pool before a reboot). The medium is looked for once, and not waited for.`,
		Example: `  azprov pps type --marker /var/lib/my-agent/pool.json
  azprov pps type --ovf /mnt --output json`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "tell the type"},
		RunE: func(command *cobra.Command, _ []string) error { return a.runPPSType(command, f) },
	}
	waiting := &cobra.Command{
		Use: "wait --type TYPE --to FILE", Short: "Report to the pool and wait for the owner's data",
		Long: `Reports Ready to the pool, waits until the host has exchanged the network and IMDS has
the owner's ovf-env.xml, and writes that to FILE, which only its owner can read. It waits
for days if need be; --timeout bounds it.

The network is left to the operating system, whose DHCP client must notice the exchange.
With --marker a VM that is rebooted meanwhile goes on where it was. The marker stays
until the outcome is reported; remove the file then.`,
		Example: `  azprov pps wait --type Running --marker /var/lib/my-agent/pool.json --to /run/my-agent/ovf-env.xml`,
		Args:    noArguments, Annotations: map[string]string{annotationAction: "wait for the owner's data"},
		RunE: func(command *cobra.Command, _ []string) error { return a.runPPSWait(command, f) },
	}
	kind.Flags().StringVar(&f.ovf, "ovf", "", "the provisioning medium: `DIR|FILE`, where it is mounted, or its ovf-env.xml")
	kind.Flags().StringVar(&f.media, "media", "", "the provisioning medium: `DEVICE|IMAGE`, "+mediaFind+" or "+mediaNone)
	waiting.Flags().Var(&f.kind, "type", "the pool: Running, Savable, PreprovisionedOSDisk, or Unknown after a reboot")
	waiting.Flags().StringVar(&f.to, "to", "", "`FILE` to write the owner's ovf-env.xml to")
	group := groupCommand("pps", "Wait in a pre-provisioning pool", "For VMs that are booted before anybody owns them.", kind, waiting)
	group.PersistentFlags().StringVar(&f.marker, "marker", "", "`FILE` that tells a later boot that this VM has reported to its pool")
	return group
}

// markerStore is the store that a flag names, nil without one.
func markerStore(path string) pps.Store {
	if path == "" {
		return nil
	}
	return pps.FileStore(path)
}

func (a *app) runPPSType(command *cobra.Command, f *ppsFlags) error {
	return a.askIMDS(command, func(ctx context.Context, client *imds.Client) error {
		env, err := a.poolMedium(ctx, f)
		if err != nil {
			return err
		}
		resp, err := client.GetInstance(ctx, nil)
		if err != nil {
			return err
		}
		id, warnings := a.poolID(&resp)
		_, marked, trouble := pps.FindMarker(ctx, markerStore(f.marker), id)
		evidence := pps.Evidence{Marker: marked, OVF: env, IMDS: resp.Extended.Compute.PPSType}
		kind, odd := pps.Determine(evidence)
		warnings = append(append(warnings, trouble...), odd...)
		medium := "absent"
		if env != nil {
			medium = fmt.Sprintf("PreprovisionedVm %s, PreprovisionedVMType %s", env.Platform.PreprovisionedVM, orNone(string(env.Platform.PreprovisionedVMType)))
		}
		document := object{{"type", kind}, {"marker", marked}, {"medium", medium}, {"imds", evidence.IMDS}, {"warnings", warnings}}
		return a.print(document, func(w io.Writer) {
			printFacts(w, "", []fact{
				{name: "type", value: string(kind)},
				{name: "marker", value: yesNo(marked)},
				{name: "medium", value: medium},
				{name: "imds", value: orNone(string(evidence.IMDS))},
			})
			printWarnings(w, warnings)
		})
	})
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func yesNo(yes bool) string {
	if yes {
		return "of this VM"
	}
	return "none"
}

// poolMedium reads the medium, nil if there is none.
func (a *app) poolMedium(ctx context.Context, f *ppsFlags) (*ovf.Environment, error) {
	if f.ovf != "" {
		return a.environment(f.ovf)
	}
	if f.media == mediaNone || f.media == "" && a.global.imds.value != "" {
		return nil, nil //nolint:nilnil // no medium is an answer
	}
	options := &media.Options{System: a.system, Wait: media.NoWait}
	if f.media != mediaFind {
		options.Device = f.media
	}
	m, err := media.Open(ctx, options)
	if errors.Is(err, azprov.ErrNotFound) && options.Device == "" {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	return m.Environment()
}

// poolID is the VM's id, the firmware's unless there is none to read.
func (a *app) poolID(resp *imds.GetInstanceResponse) (id azprov.VMID, warnings []string) {
	dmi, _ := azprov.ReadDMI(a.sysfs()) // what is missing of it shows in the id
	if id, err := dmi.VMID(); err == nil && a.global.imds.value == "" {
		return id, nil
	}
	id, err := azprov.ParseVMID(resp.Compute.VMID)
	if err != nil {
		warnings = []string{"the VM's id is not known: " + azprov.OneLine(err.Error())}
	}
	return id, warnings
}

// poolReporter reports Ready to the pool.
type poolReporter struct{ client *wireserver.Client }

func (r poolReporter) ReportPoolReady(ctx context.Context) error {
	_, err := r.client.ReportHealth(ctx, wireserver.HealthReport{State: goalstate.HealthStateReady}, nil)
	return err
}

func (a *app) runPPSWait(command *cobra.Command, f *ppsFlags) error {
	switch {
	case f.kind.value == "":
		return usagef("azprov pps type tells it", "--type TYPE is missing")
	case f.to == "":
		return usagef("", "--to FILE is missing")
	}
	return a.askIMDS(command, func(ctx context.Context, client *imds.Client) error {
		if err := a.requireAzure(a.global.wireServer); err != nil {
			return err
		}
		logger := a.logger(a.err)
		reporter, err := a.wireServerClient(logger, "", a.tellRetry)
		if err != nil {
			return err
		}
		options := &pps.Options{
			Type: pps.Type(f.kind.value), Metadata: pps.IMDSMetadata(client), Reporter: poolReporter{reporter},
			Store: markerStore(f.marker), Logger: logger, OnState: func(t pps.Transition) { _, _ = fmt.Fprintln(a.err, transitionLine(t)) },
		}
		dmi, _ := azprov.ReadDMI(a.sysfs()) // what is missing of it shows in the id
		if options.VMID, err = dmi.VMID(); err != nil && f.marker != "" {
			return err // a marker of nobody would be of no use
		}
		if a.global.imds.value == "" {
			options.Links = pps.SystemLinks()
		}
		machine, err := pps.New(options)
		if err != nil {
			return err
		}
		result, err := machine.Run(ctx)
		printWarnings(a.err, result.Warnings)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(f.to, result.Document.Reveal()); err != nil {
			return fileError("pps wait", f.to, err)
		}
		return a.print(object{{"type", result.Type}, {"to", f.to}, {"requests", result.Requests}}, func(w io.Writer) {
			printFacts(w, "", []fact{
				{name: "type", value: string(result.Type)},
				{name: "owner's data", value: f.to},
				{name: "requests", value: fmt.Sprint(result.Requests)},
			})
		})
	})
}

// transitionLine is a transition in one line.
func transitionLine(t pps.Transition) string {
	line := t.At.Format("15:04:05.000") + "  " + string(t.From) + " → " + string(t.To) + " (" + string(t.Event) + ")"
	if t.Detail != "" {
		line += ": " + azprov.OneLine(t.Detail)
	}
	return line
}
