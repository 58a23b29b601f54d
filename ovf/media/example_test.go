package media_test

import (
	"bytes"
	"fmt"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

// Read the provisioning medium from a disc. On a VM the image is a device: media.Open
// takes its path.
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
