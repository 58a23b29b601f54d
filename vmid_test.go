package azprov_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/azprov/azprov"
)

// The pair of cloud-init's own tests (tests/unittests/sources/azure/test_identity.py).
const (
	asShown   = "527c2691-029f-fe4c-b1f4-a4da7ebac2cf"
	asSwapped = "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf"
)

func TestVMIDSwap(t *testing.T) {
	t.Parallel()
	id, err := azprov.ParseVMID(asShown)
	if err != nil {
		t.Fatal(err)
	}
	if got := id.Swapped().String(); got != asSwapped {
		t.Errorf("swapped %s, want %s", got, asSwapped)
	}
	if id.Swapped().Swapped() != id {
		t.Error("the swap is its own inverse")
	}
}

func TestParseVMIDRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "g", "-----", asShown[:35], asShown + "0", "{" + asShown + "}", "urn:uuid:" + asShown,
		strings.ReplaceAll(asShown, "-", ""), strings.Replace(asShown, "5", "g", 1), "527c26910-29f-fe4c-b1f4-a4da7ebac2cf",
	} {
		_, err := azprov.ParseVMID(bad)
		var e *azprov.Error
		if !errors.As(err, &e) || e.Kind != azprov.KindMalformed || e.Reason != "failure to identify Azure VM ID" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSameVM(t *testing.T) {
	t.Parallel()
	zero := "00000000-0000-0000-0000-000000000000"
	for _, row := range []struct {
		name, a, b string
		want       bool
	}{
		{"equal", asShown, asShown, true},
		{"other case", asShown, strings.ToUpper(asShown), true},
		{"other byte order", asShown, asSwapped, true},
		{"other case and byte order", strings.ToUpper(asSwapped), asShown, true},
		{"blanks around", " " + asShown + "\n", asShown, true},
		{"other machine", asShown, "627c2691-029f-fe4c-b1f4-a4da7ebac2cf", false},
		{"no id", "", "", false},
		{"zero ids name no machine", zero, zero, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := azprov.SameVM(row.a, row.b); got != row.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestVMIDAsText(t *testing.T) {
	t.Parallel()
	var doc struct{ A, B azprov.VMID }
	if err := json.Unmarshal([]byte(`{"A":"`+strings.ToUpper(asShown)+`","B":""}`), &doc); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if want := `{"A":"` + asShown + `","B":""}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	if err := json.Unmarshal([]byte(`{"A":"x"}`), &doc); err == nil {
		t.Error("a bad id was taken")
	}
}

// dmiTree makes a /sys with the fields that are not empty.
func dmiTree(tag, uuid string, efi bool) fstest.MapFS {
	tree := fstest.MapFS{}
	if tag != "" {
		tree["class/dmi/id/chassis_asset_tag"] = &fstest.MapFile{Data: []byte(tag + "\n")}
	}
	if uuid != "" {
		tree["class/dmi/id/product_uuid"] = &fstest.MapFile{Data: []byte(uuid + "\n")}
	}
	if efi {
		tree["firmware/efi/fw_platform_size"] = &fstest.MapFile{Data: []byte("64\n")}
	}
	return tree
}

func TestDMI(t *testing.T) {
	t.Parallel()
	ones := "ffffffff-ffff-ffff-ffff-ffffffffffff"
	for _, row := range []struct {
		name    string
		tree    fs.FS
		onAzure bool
		id      string
		kind    azprov.Kind
	}{
		{"generation 1 swaps", dmiTree(azprov.AzureAssetTag, asShown, false), true, asSwapped, ""},
		{"generation 2 does not", dmiTree(azprov.AzureAssetTag, asShown, true), true, asShown, ""},
		{"upper case of old kernels", dmiTree(azprov.AzureAssetTag, strings.ToUpper(asShown), true), true, asShown, ""},
		{"another platform", dmiTree("Other", asShown, true), false, asShown, ""},
		{"a tag that only begins so", dmiTree(azprov.AzureAssetTag+"0", asShown, true), false, asShown, ""},
		{"nothing there", fstest.MapFS{}, false, "", azprov.KindNotFound},
		{"all ones", dmiTree(azprov.AzureAssetTag, ones, true), true, "", azprov.KindNotFound},
		{"all zeros", dmiTree(azprov.AzureAssetTag, "00000000-0000-0000-0000-000000000000", true), true, "", azprov.KindNotFound},
		{"no UUID", dmiTree(azprov.AzureAssetTag, "To be filled by O.E.M.", true), true, "", azprov.KindMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dmi, err := azprov.ReadDMI(row.tree)
			if err != nil {
				t.Fatal(err)
			}
			id, err := dmi.VMID()
			if dmi.OnAzure() != row.onAzure || azprov.KindOf(err) != row.kind {
				t.Errorf("on Azure %v, %v", dmi.OnAzure(), err)
			}
			if err == nil && id.String() != row.id {
				t.Errorf("id %s, want %s", id, row.id)
			}
		})
	}
}

// deniedFS is /sys for somebody who is not root.
type deniedFS struct{ fstest.MapFS }

func (d deniedFS) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "product_uuid") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.MapFS.Open(name)
}

func TestDMIWithoutRoot(t *testing.T) {
	t.Parallel()
	dmi, err := azprov.ReadDMI(deniedFS{dmiTree(azprov.AzureAssetTag, asShown, true)})
	if !errors.Is(err, azprov.ErrDenied) || !errors.Is(err, fs.ErrPermission) || !dmi.OnAzure() {
		t.Errorf("%+v, %v: want the rest of the fields and ErrDenied", dmi, err)
	}
}

func TestDMIFieldIsBounded(t *testing.T) {
	t.Parallel()
	dmi, err := azprov.ReadDMI(dmiTree(strings.Repeat("x", 1<<20), "", false))
	if err != nil || len(dmi.ChassisAssetTag) > 4<<10 {
		t.Errorf("%d bytes, %v", len(dmi.ChassisAssetTag), err)
	}
}
