package imds

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// summary is what a document must parse to, as far as provisioning cares.
type summary struct {
	VMID, HostName, Admin, Environment, Location, Zone string
	// PasswordOff is "true", "false" or "" as sent.
	PasswordOff Bool
	// Keys are the types of the usable keys, and "" for an unusable one.
	Keys []string
	// NICs are MAC, IPv4 and IPv6 prefixes and public addresses.
	NICs        []string
	Tags        []Tag
	UserData    string
	PPSType     PPSType
	CustomData  Bool
	FaultDomain Int
	Uniform     bool
	DataDisks   []string
}

func summarize(t *testing.T, i Instance) summary {
	t.Helper()
	c := i.Compute
	data, err := c.UserDataBytes()
	if err != nil {
		t.Error(err)
	}
	s := summary{
		VMID: c.VMID, HostName: c.HostName(), Admin: c.OSProfile.AdminUsername, Environment: string(c.AzEnvironment),
		Location: c.Location, Zone: c.Zone, PasswordOff: c.OSProfile.DisablePasswordAuthentication,
		NICs: describeNICs(i.Network.Interface), Tags: c.AllTags(), UserData: data.RevealString(),
		PPSType: i.Extended.Compute.PPSType, CustomData: i.Extended.Compute.HasCustomData,
		FaultDomain: c.PlatformFaultDomain, Uniform: c.InUniformScaleSet(),
	}
	for _, key := range c.PublicKeys {
		line, _ := key.OpenSSH()
		keyType, _ := cutField(line)
		s.Keys = append(s.Keys, keyType)
	}
	for _, disk := range c.StorageProfile.DataDisks {
		s.DataDisks = append(s.DataDisks, string(disk.LUN)+" "+disk.Name+" "+string(disk.DiskSizeGB)+" "+string(disk.ManagedDisk.StorageAccountType))
	}
	return s
}

func describeNICs(interfaces []NetworkInterface) []string {
	var nics []string
	for _, nic := range interfaces {
		mac, _ := nic.HardwareAddr()
		text := mac.String()
		for _, prefix := range append(nic.IPv4Prefixes(), nic.IPv6Prefixes()...) {
			text += " " + prefix.String()
		}
		for _, addr := range nic.PublicAddresses() {
			text += " public " + addr.String()
		}
		nics = append(nics, text)
	}
	return nics
}

const ed25519, rsa = "ssh-ed25519", "ssh-rsa"

var capturedInstances = map[string]summary{
	"imds/linux-vm.json": {
		VMID: "0f4b2f5e-8f0e-4c55-b7f4-9f2f1d6f7a10", HostName: "build-01", Admin: "opsadmin", Environment: "AzurePublicCloud",
		Location: "westeurope", Zone: "1", PasswordOff: "true", Keys: []string{ed25519, rsa},
		NICs: []string{"60:45:bd:8a:1f:03 10.20.0.4/24"},
		Tags: []Tag{{Name: "env", Value: "test"}, {Name: "owner", Value: "team a"}}, UserData: "#cloud-config\n",
		PPSType: PPSTypeNone, CustomData: "false", FaultDomain: "0",
	},
	"imds/multi-nic-ipv6.json": {
		VMID: "9a7d24c8-61ce-4f6a-8b93-1de0b6c2f377", HostName: "fw-1", Admin: "netops", Environment: "AzurePublicCloud",
		Location: "swedencentral", Zone: "3", PasswordOff: "true", Keys: []string{ed25519}, FaultDomain: "0",
		NICs: []string{
			"60:45:bd:aa:00:02 10.60.1.4/24 fd00:60:1::4/128",
			"60:45:bd:aa:00:01 10.60.0.4/24 10.60.0.5/24 fd00:60::4/128 fd00:60::5/128 public 203.0.113.77",
			"60:45:bd:aa:00:03 10.60.2.4/26",
		},
	},
	"imds/vmss-uniform.json": {
		VMID: "b8a5d0c1-2c7d-4f7a-8f2b-6a2c6a3d4e55", HostName: "web000003", Admin: "opsadmin", Environment: "AzurePublicCloud",
		Location: "northeurope", Zone: "2", PasswordOff: "true", Keys: []string{ed25519}, FaultDomain: "3", Uniform: true,
		NICs: []string{"00:0d:3a:b1:c2:d3 10.30.1.7/16"}, Tags: []Tag{{Name: "app", Value: "web"}},
	},
	"imds/confidential-vm.json": {
		VMID: "53c1e2b7-0a4e-4c0e-9d2a-70e2c1f4ab91", HostName: "cvm-a", Admin: "opsadmin", Environment: "AzurePublicCloud",
		Location: "eastus", PasswordOff: "true", Keys: []string{ed25519}, FaultDomain: "0",
		NICs: []string{"7c:1e:52:04:a9:b8 10.40.0.4/24 public 203.0.113.24"},
	},
	"imds/spot-vm.json": {
		VMID: "c2b4f3a0-7f16-4a38-8a41-4d1f0b1f6f02", HostName: "batch-07", Admin: "batch", Environment: "AzurePublicCloud",
		Location: "australiaeast", PasswordOff: "false", FaultDomain: "1",
		NICs: []string{"00:0d:3a:99:11:aa 10.50.2.9/24"}, Tags: []Tag{{Name: "job", Value: "42"}},
	},
	"imds/storage.json": {
		VMID: "e0d6a1b2-9c3f-4e8d-8b7a-1f2e3d4c5b6a", HostName: "db-01", Admin: "dba", Environment: "AzurePublicCloud",
		Location: "westus3", Zone: "1", PasswordOff: "true", Keys: []string{ed25519}, FaultDomain: "0",
		NICs: []string{"00:22:48:c0:ff:ee 10.70.0.4/24"},
		Tags: []Tag{{Name: "tier", Value: "gold"}, {Name: "note", Value: "a;b:c"}},
		DataDisks: []string{
			"0 db-01_data0 1024 Premium_LRS", "1 db-01_log 512 UltraSSD_LRS", "2 db-shared 256 Premium_ZRS",
		},
	},
	"imds/stack-hub-2019-06-01.json": {
		VMID: "0f4b2f5e-8f0e-4c55-b7f4-9f2f1d6f7a10", HostName: "build-01", Environment: "AzureStack",
		Location: "hub1", Keys: []string{ed25519, rsa}, FaultDomain: "0",
		NICs: []string{"60:45:bd:8a:1f:03 10.20.0.4/24"},
		Tags: []Tag{{Name: "env", Value: "test"}, {Name: "owner", Value: "team a"}},
	},
	"walinuxagent/imds/valid.json": {
		VMID: "e7fdbfc4-2deb-4a4e-8615-ea6aaf50162e", HostName: "health", Location: "westus", FaultDomain: "0",
		NICs: []string{"00:0d:3a:33:82:e8 10.0.1.4/24 public 40.112.128.120"},
	},
}

func TestCapturedInstances(t *testing.T) {
	t.Parallel()
	dir := vectorsDir(t)
	for name, want := range capturedInstances {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := readFile(t, dir, name)
			instance, err := ParseInstance(document)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, summarize(t, instance)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if len(instance.Warnings) > 0 || instance.Complete() != nil {
				t.Errorf("warnings %q, complete %v", instance.Warnings, instance.Complete())
			}
			lenientAgrees(t, document, instance)
		})
	}
}

// lenientAgrees checks that the lenient reader, which only odd documents meet,
// reads this one as encoding/json does.
func lenientAgrees(t *testing.T, document []byte, want Instance) {
	t.Helper()
	var got Instance
	warnings, err := parseLeniently("test", document, &got)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("lenient reader: %q, %v", warnings, err)
	}
	if diff := cmp.Diff(want, got, ignoreRaw()); diff != "" {
		t.Errorf("the lenient reader differs (-json +lenient)\n%s", diff)
	}
}

func ignoreRaw() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".raw" }, cmp.Ignore())
}

func TestEveryCapturedInstanceHasARow(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(vectorsDir(t), "imds", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := "imds/" + filepath.Base(file)
		if _, ok := capturedInstances[name]; !ok && name != "imds/schema.json" {
			t.Errorf("%s has no row", name)
		}
	}
}

// TestCapturedFragments reads the parts of documents that Talos asks for.
func TestCapturedFragments(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(vectorsDir(t), "talos")

	compute, warnings, err := ParseCompute(readFile(t, dir, "compute.json"))
	if err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	got := []string{compute.VMID, compute.HostName(), compute.Location, compute.VMSize, compute.Version}
	want := []string{"5c08b38e-4d57-4c23-ac45-aca61037f084", "examplevmname", "CentralUS", "Standard_DS2", "7.2.20161026"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("compute.json (-want +got)\n%s", diff)
	}

	interfaces, warnings, err := ParseInterfaces(readFile(t, dir, "interfaces.json"))
	if err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	want = []string{"00:0d:3a:d6:31:ee 172.18.1.10/24 fd00::10/128 public 1.2.3.4"}
	if diff := cmp.Diff(want, describeNICs(interfaces)); diff != "" {
		t.Errorf("interfaces.json (-want +got)\n%s", diff)
	}

	lb, err := ParseLoadBalancer(readFile(t, dir, "loadbalancer.json"))
	if err != nil {
		t.Fatal(err)
	}
	want = []string{
		"public 2603:1020:10:5::34 fd00::10", "public 20.10.5.34 172.18.1.10",
		"in Tcp fd60:172:16:88::5 6443 fd00::10 6443", "in Tcp 172.16.136.5 6443 172.18.1.10 6443",
	}
	if diff := cmp.Diff(want, describeLoadBalancer(lb)); diff != "" {
		t.Errorf("loadbalancer.json (-want +got)\n%s", diff)
	}
}

// TestSchemaOfCapturedDocuments demands that no key of the captured documents is
// unknown to the models: what they encode has every key that came.
func TestSchemaOfCapturedDocuments(t *testing.T) {
	t.Parallel()
	dir := vectorsDir(t)
	for name := range capturedInstances {
		document, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		instance, err := ParseInstance(document)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(instance)
		if err != nil {
			t.Fatal(err)
		}
		var came, known any
		if json.Unmarshal(document, &came) != nil || json.Unmarshal(encoded, &known) != nil {
			t.Fatal("not JSON")
		}
		unknownKeys(t, name, came, known)
	}
}

func unknownKeys(t *testing.T, path string, came, known any) {
	t.Helper()
	switch came := came.(type) {
	case map[string]any:
		object, _ := known.(map[string]any)
		for key, value := range came {
			if _, ok := object[key]; !ok {
				t.Errorf("%s.%s is lost", path, key)
			}
			unknownKeys(t, path+"."+key, value, object[key])
		}
	case []any:
		array, _ := known.([]any)
		if len(array) != len(came) {
			t.Errorf("%s: %d elements became %d", path, len(came), len(array))
			return
		}
		for i, value := range came {
			unknownKeys(t, path+"[]", value, array[i])
		}
	}
}
