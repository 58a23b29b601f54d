package ovf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf"
)

const document = `<?xml version="1.0" encoding="utf-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure">
  <wa:ProvisioningSection>
    <wa:Version>1.0</wa:Version>
    <wa:LinuxProvisioningConfigurationSet>
      <wa:HostName>vm1</wa:HostName>
      <wa:UserName>azureuser</wa:UserName>
      <wa:UserPassword>not-A-real-1</wa:UserPassword>
      <wa:CustomData>I2Nsb3VkLWNvbmZpZwo=</wa:CustomData>
    </wa:LinuxProvisioningConfigurationSet>
  </wa:ProvisioningSection>
</Environment>
`

func ExampleParse() {
	env, err := ovf.Parse([]byte(document))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("host name:", env.HostName)
	fmt.Println("password:", env.UserPassword)
	fmt.Printf("custom data: %q\n", env.CustomData.RevealString())
	fmt.Println("refuse passwords:", env.DisableSSHPasswordAuthentication)
	// Output:
	// host name: vm1
	// password: [redacted]
	// custom data: "#cloud-config\n"
	// refuse passwords: unset
}

func ExampleParse_refused() {
	twice := strings.Replace(document, "<wa:HostName>vm1</wa:HostName>", "<wa:HostName>a</wa:HostName><wa:HostName>b</wa:HostName>", 1)
	_, err := ovf.Parse([]byte(twice))
	var e *azprov.Error
	if errors.As(err, &e) {
		fmt.Println(e.Kind)
		fmt.Println(e.Reason)
	}
	// Output:
	// Malformed
	// unexpected metadata parsing ovf-env.xml: multiple configuration matches for 'HostName' (2)
}

func ExampleRedacted() {
	out, err := ovf.Redacted([]byte(document))
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "REDACTED") {
			fmt.Print(line)
		}
	}
	// Output:
	//       <wa:UserPassword>REDACTED</wa:UserPassword>
	//       <wa:CustomData>REDACTED</wa:CustomData>
}

// A medium is any file system; here it is the emulator's.
func ExampleReadFS() {
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
	medium, _ := fabric.Medium()
	env, err := ovf.ReadFS(medium)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(env.HostName, env.UserName, env.UserPassword)
	_, err = ovf.ReadFS(fstest.MapFS{})
	fmt.Println(errors.Is(err, azprov.ErrNotFound))
	// Output:
	// quay-02 stevedore [redacted]
	// true
}

func ExampleEnvironment_Encode() {
	env := &ovf.Environment{
		HostName:                         "vm1",
		UserName:                         "azureuser",
		DisableSSHPasswordAuthentication: azprov.SwitchOn,
		PublicKeys:                       []ovf.PublicKey{{Path: "/home/azureuser/.ssh/authorized_keys", Value: "ssh-ed25519 AAAAC3Nz user@host"}},
	}
	b, err := env.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := ovf.Parse(b)
	fmt.Println(again.HostName, again.PublicKeys[0].Value, err)
	// Output:
	// vm1 ssh-ed25519 AAAAC3Nz user@host <nil>
}
