package media_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

// Find the machine's provisioning medium, and open its drive when its data is safe.
func ExampleOpen() {
	medium, err := media.Open(context.Background(), &media.Options{
		SeedDirs: []string{media.CloudInitSeedDir},
		OnMissed: func() { fmt.Println("waiting for the medium") },
	})
	if err != nil {
		fmt.Println(err) // it names what was looked at
		return
	}
	env, err := medium.Environment()
	if err != nil {
		fmt.Println(err) // with the reason to report
		return
	}
	fmt.Println(medium.Path, env.HostName)
	if err := medium.Eject(context.Background()); err != nil {
		fmt.Println(err)
	}
}

// Read the provisioning medium from a known image. That of a device is opened by
// media.OpenDisc.
func ExampleReadVolume() {
	scenario, err := emulator.LookupScenario("custom-data")
	if err != nil {
		fmt.Println(err)
		return
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var image bytes.Buffer
	if err := fabric.WriteMediumImage(&image, emulator.ImageFormatUDF); err != nil {
		fmt.Println(err)
		return
	}
	disc, err := media.ReadVolume(bytes.NewReader(image.Bytes()), int64(image.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	env, err := ovf.ReadFS(disc.FS)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(disc.Type, env.HostName, env.UserPassword, env.CustomData.Len(), "bytes of custom data")
	// Output: udf jetty-07 [redacted] 58 bytes of custom data
}
