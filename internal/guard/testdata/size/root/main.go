// The minimal importer of the root package: what a systemd generator needs.
package main

import (
	"fmt"
	"os"

	"github.com/azprov/azprov"
)

func main() {
	dmi, err := azprov.ReadDMI(os.DirFS("/sys"))
	if err != nil {
		fmt.Println(azprov.KindOf(err), err)
	}
	id, err := dmi.VMID()
	fmt.Println(dmi.OnAzure(), id, err)
}
