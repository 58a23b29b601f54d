package azprov_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/azprov/azprov"
)

// Whether this is Azure, and who we are, without any network.
func ExampleReadDMI() {
	sysfs := fstest.MapFS{ // os.DirFS("/sys") on a machine
		"class/dmi/id/chassis_asset_tag": {Data: []byte("7783-7084-3265-9085-8269-3286-77\n")},
		"class/dmi/id/product_uuid":      {Data: []byte("527c2691-029f-fe4c-b1f4-a4da7ebac2cf\n")},
	}
	dmi, err := azprov.ReadDMI(sysfs)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := dmi.VMID()
	fmt.Println(dmi.OnAzure(), id, err)
	// Output: true 91267c52-9f02-4cfe-b1f4-a4da7ebac2cf <nil>
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
