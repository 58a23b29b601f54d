package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
)

func (a *app) vmIDCommand() *cobra.Command {
	return &cobra.Command{
		Use: "vm-id", Short: "Print this VM's id, from the firmware",
		Long: `Prints what IMDS calls compute.vmId. It is the system UUID of the firmware, on a VM of
generation 1 (without UEFI) with the bytes of its first three groups swapped. Reading
it takes root, and no network.`,
		Example: `  sudo azprov vm-id
  azprov vm-id --dmi ./sys`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "tell the VM id"},
		RunE: func(*cobra.Command, []string) error { return a.runVMID() },
	}
}

func (a *app) runVMID() error {
	dmi, err := azprov.ReadDMI(a.sysfs())
	if !dmi.OnAzure() {
		return &azprov.Error{
			Op: "azprov.ReadDMI", Target: a.global.dmi, Kind: azprov.KindNotAzure, Last: err,
			Message: "the chassis asset tag is not Azure's: this machine is no VM on Azure",
			Hint:    "--dmi DIR reads another tree, such as one that emulate --dmi has written",
		}
	}
	if err != nil {
		return err
	}
	id, err := dmi.VMID()
	if err != nil {
		return err
	}
	generation := 1
	if dmi.EFI {
		generation = 2
	}
	return a.print(struct {
		VMID       azprov.VMID `json:"vmId"`
		Generation int         `json:"generation"`
	}{id, generation}, func(w io.Writer) { _, _ = fmt.Fprintln(w, id) })
}
