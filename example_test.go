package azprov_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// Whether this is Azure, and who we are, without any network.
func ExampleReadDMI() {
	scenario, err := emulator.LookupScenario("no-imds")
	if err != nil {
		fmt.Println(err)
		return
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	sysfs := fabric.DMI() // os.DirFS("/sys") on a machine
	dmi, err := azprov.ReadDMI(sysfs)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := dmi.VMID()
	fmt.Println(dmi.OnAzure(), dmi.EFI, dmi.ProductUUID)
	fmt.Println(id, err)
	// Output:
	// true false d1b3907e-642a-8f4c-b1e5-93d0f4a6c712
	// 7e90b3d1-2a64-4c8f-b1e5-93d0f4a6c712 <nil>
}

// Branch on what can be done about a failure, not on its text.
func ExampleError() {
	var err error = &azprov.Error{
		Op: "imds.Client.GetInstance", Kind: azprov.KindTimeout,
		Context: context.DeadlineExceeded, Last: azprov.ErrNotReady,
	}
	switch {
	case errors.Is(err, azprov.ErrDenied):
		fmt.Println("ask for permission")
	case errors.Is(err, azprov.ErrTimeout) && errors.Is(err, azprov.ErrNotReady):
		fmt.Println("it was not ready in time")
	}
	// Output: it was not ready in time
}

// A secret prints as nothing but the fact that it is there.
func ExampleSecret() {
	password := azprov.NewSecret([]byte("correct horse"))
	fmt.Printf("%v, %d bytes, %q\n", password, password.Len(), password.RevealString())
	// Output: [redacted], 13 bytes, "correct horse"
}
