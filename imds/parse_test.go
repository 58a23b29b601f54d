package imds

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

func TestParseInstance(t *testing.T) {
	t.Parallel()
	document := readFile(t, "testdata", "instance.json")
	instance, err := ParseInstance(document)
	if err != nil {
		t.Fatal(err)
	}
	want := summary{
		VMID: "5a17f0c2-6f1d-4b7e-9a55-0d1e2f3a4b5c", HostName: "quarry000002", Admin: "mason", Environment: "AZUREPUBLICCLOUD",
		Location: "norwayeast", Zone: "1", PasswordOff: "true", Keys: []string{"ssh-ed25519", "ecdsa-sha2-nistp256"},
		NICs: []string{
			"00:22:48:99:00:bb 10.9.1.4/25",
			"00:22:48:99:00:aa 10.9.0.4/24 10.9.0.5/24 fd00:9::4/128 public 198.51.100.7 public 2001:db8::7",
		},
		Tags: []Tag{{Name: "stone", Value: "granite"}, {Name: "rule", Value: "a;b"}}, UserData: "hew the stone\n",
		PPSType: PPSTypeNone, CustomData: "true", FaultDomain: "2", Uniform: true,
		DataDisks: []string{"3 quarry-data 8192 UltraSSD_LRS"},
	}
	if diff := cmp.Diff(want, summarize(t, instance)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if instance.Raw().RevealString() != string(document) {
		t.Error("Raw is not the document")
	}
	if id := instance.Network.Interface[1].InterfaceCompartmentID; id != "7" {
		t.Errorf("a key in another case is lost: %q", id)
	}
	if n, ok := instance.Compute.StorageProfile.DataDisks[0].DiskCapacityBytes.Value(); n != 8<<40 || !ok {
		t.Errorf("a number over 32 bits: %d, %v", n, ok)
	}
	lenientAgrees(t, document, instance)
}

func TestInstanceDoesNotPrintUserData(t *testing.T) {
	t.Parallel()
	instance, err := ParseInstance([]byte(`{"compute":{"userData":"aHVzaA==","customData":"aHVzaA=="}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, instance); strings.Contains(text, "aHVzaA") || strings.Contains(text, "6148567a614") {
			t.Errorf("%s shows user data: %s", verb, text)
		}
	}
}

func TestParseInstanceMistyped(t *testing.T) {
	t.Parallel()
	instance, err := ParseInstance(readFile(t, "testdata", "mistyped.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := Instance{
		Compute: Compute{
			Name: "42", Zone: "false", PlatformFaultDomain: "1", VMID: "5a17f0c2-6f1d-4b7e-9a55-0d1e2f3a4b5c",
			OSProfile:      OSProfile{ComputerName: "mistyped", DisablePasswordAuthentication: "true"},
			PublicKeys:     []PublicKey{{KeyData: "ssh-ed25519 AAAA one"}, {}},
			StorageProfile: StorageProfile{OSDisk: OSDisk{DiskSizeGB: "30"}},
		},
		Warnings: []string{
			"compute.publicKeys[1] is a string, want an object: left out",
			"compute.securityProfile is an array, want an object: left out",
			"compute.storageProfile.dataDisks is an object, want an array: left out",
			"network is an array, want an object: left out",
		},
	}
	if diff := cmp.Diff(want, instance, ignoreRaw()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestParseInstanceTolerates names single oddities; get says what must survive.
func TestParseInstanceTolerates(t *testing.T) {
	t.Parallel()
	hostName := func(i Instance) string { return i.Compute.OSProfile.ComputerName }
	passwordOff := func(i Instance) string { return string(i.Compute.OSProfile.DisablePasswordAuthentication) }
	size := func(i Instance) string { return string(i.Compute.StorageProfile.OSDisk.DiskSizeGB) }
	userData := func(i Instance) string { return i.Compute.UserData.RevealString() }
	for name, row := range map[string]struct {
		document string
		get      func(Instance) string
		want     string
		warnings int
	}{
		"null for a string":             {`{"compute":{"osProfile":{"computerName":null}}}`, hostName, "", 0},
		"null for an object":            {`{"compute":null}`, hostName, "", 0},
		"boolean for a string":          {`{"compute":{"osProfile":{"computerName":true}}}`, hostName, "true", 0},
		"number for a string":           {`{"compute":{"osProfile":{"computerName":12345678901234567890}}}`, hostName, "12345678901234567890", 0},
		"object for a string":           {`{"compute":{"osProfile":{"computerName":{}}}}`, hostName, "", 1},
		"boolean for a boolean":         {`{"compute":{"osProfile":{"disablePasswordAuthentication":false}}}`, passwordOff, "false", 0},
		"null for a boolean":            {`{"compute":{"osProfile":{"disablePasswordAuthentication":null}}}`, passwordOff, "", 0},
		"number for a boolean":          {`{"compute":{"osProfile":{"disablePasswordAuthentication":1}}}`, passwordOff, "1", 0},
		"array for a boolean":           {`{"compute":{"osProfile":{"disablePasswordAuthentication":[true]}}}`, passwordOff, "", 1},
		"number for a number":           {`{"compute":{"storageProfile":{"osDisk":{"diskSizeGB":30}}}}`, size, "30", 0},
		"null for a number":             {`{"compute":{"storageProfile":{"osDisk":{"diskSizeGB":null}}}}`, size, "", 0},
		"object for a number":           {`{"compute":{"storageProfile":{"osDisk":{"diskSizeGB":{}}}}}`, size, "", 1},
		"null for a secret":             {`{"compute":{"userData":null}}`, userData, "", 0},
		"number for a secret":           {`{"compute":{"userData":1234}}`, userData, "1234", 0},
		"array for a secret":            {`{"compute":{"userData":["x"]}}`, userData, "", 1},
		"empty string for an object":    {`{"compute":{"plan":"","osProfile":{"computerName":"a"}}}`, hostName, "a", 0},
		"array for the network":         {`{"network":[],"compute":{"osProfile":{"computerName":"a"}}}`, hostName, "a", 1},
		"number for the network":        {`{"network":5,"compute":{"osProfile":{"computerName":"a"}}}`, hostName, "a", 1},
		"upper-case keys":               {`{"COMPUTE":{"OSPROFILE":{"COMPUTERNAME":"a"}}}`, hostName, "a", 0},
		"upper-case keys and a boolean": {`{"COMPUTE":{"NAME":true,"OSPROFILE":{"COMPUTERNAME":"a"}}}`, hostName, "a", 0},
		"byte order mark":               {"\uFEFF" + `{"compute":{"osProfile":{"computerName":"a"}}}`, hostName, "a", 0},
		"blanks around":                 {" \r\n{\"compute\":{\"osProfile\":{\"computerName\":\"a\"}}}\n\n", hostName, "a", 0},
		"unknown keys":                  {`{"new":{"a":[1]},"compute":{"new":1,"osProfile":{"computerName":"a"}}}`, hostName, "a", 0},
		"empty object":                  {`{}`, hostName, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instance, err := ParseInstance([]byte(row.document))
			if err != nil {
				t.Fatal(err)
			}
			if got := row.get(instance); got != row.want || len(instance.Warnings) != row.warnings {
				t.Errorf("got %q with warnings %q, want %q with %d", got, instance.Warnings, row.want, row.warnings)
			}
		})
	}
}

func TestParseInstanceRefuses(t *testing.T) {
	t.Parallel()
	big := `{"compute":{"name":"` + strings.Repeat("x", MaxDocument) + `"}}`
	for name, row := range map[string]struct {
		document string
		kind     azprov.Kind
		message  string
	}{
		"nothing":                  {"", azprov.KindMalformed, "the document is empty"},
		"blanks":                   {" \n", azprov.KindMalformed, "the document is empty"},
		"truncated":                {`{"compute":{"name":"a`, azprov.KindMalformed, "invalid JSON at byte 21 of 21"},
		"trailing garbage":         {`{"compute":{}} {}`, azprov.KindMalformed, "invalid JSON at byte 16 of 17"},
		"mistyped and truncated":   {`{"compute":{"name":1}`, azprov.KindMalformed, "invalid JSON at byte 21 of 21"},
		"not UTF-8":                {"{\"compute\":{\"name\":\"\xff\"}}", azprov.KindMalformed, "the document is not UTF-8"},
		"UTF-16":                   {"\xff\xfe{\x00}\x00", azprov.KindMalformed, "the document is not UTF-8"},
		"HTML":                     {"<!DOCTYPE html><html></html>", azprov.KindMalformed, "the document is HTML or XML, want a JSON object"},
		"array":                    {`[]`, azprov.KindMalformed, "the document is a JSON array, want a JSON object"},
		"null":                     {`null`, azprov.KindMalformed, "the document is a bare word or number, want a JSON object"},
		"string":                   {`"compute"`, azprov.KindMalformed, "the document is a JSON string, want a JSON object"},
		"text":                     {`compute/`, azprov.KindMalformed, "the document is no JSON, want a JSON object"},
		"redacted":                 {`{"compute":{"userData":"[redacted]"}}`, azprov.KindMalformed, "compute.userData: "},
		"deep arrays":              {`{"compute":` + strings.Repeat("[", 60_000), azprov.KindMalformed, "invalid JSON at byte"},
		"a megabyte of arrays":     {strings.Repeat("[", MaxDocument), azprov.KindMalformed, "the document is a JSON array"},
		"a megabyte of objects":    {strings.Repeat(`{"a":`, MaxDocument/5), azprov.KindTooLarge, "the document holds over 65536 values"},
		"a megabyte of data disks": {`{"x":[` + strings.Repeat("{},", MaxDocument/4), azprov.KindTooLarge, "the document holds over 65536 values"},
		"over a megabyte":          {big, azprov.KindTooLarge, "the document is over 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseInstance([]byte(row.document))
			var e *azprov.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Kind != row.kind || e.Op != "imds.ParseInstance" || e.Reason != "error parsing IMDS metadata" || !strings.HasPrefix(e.Message, row.message) {
				t.Errorf("got %s %q (reason %q), want %s %q", e.Kind, e.Message, e.Reason, row.kind, row.message)
			}
		})
	}
}

func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	instance, err := ParseInstance([]byte(`{"compute":{"publicKeys":[` + strings.Repeat("1,", 1000) + `1]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(instance.Warnings); n != maxWarnings || instance.Warnings[n-1] != "more values left out" {
		t.Errorf("%d warnings: %q", n, instance.Warnings)
	}
}

func TestLookupIsDeterministic(t *testing.T) {
	t.Parallel()
	for range 20 {
		instance, err := ParseInstance([]byte(`{"compute":{"NAME":"upper","Name":"title","zone":1}}`))
		if err != nil || instance.Compute.Name != "upper" {
			t.Fatalf("got %q, %v", instance.Compute.Name, err)
		}
	}
	instance, err := ParseInstance([]byte(`{"compute":{"name":"documented","NAME":"upper","zone":1}}`))
	if err != nil || instance.Compute.Name != "documented" {
		t.Fatalf("got %q, %v", instance.Compute.Name, err)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for document, complete := range map[string]bool{
		`{"compute":{"vmId":"5a17f0c2-6f1d-4b7e-9a55-0d1e2f3a4b5c"}}`: true,
		`{"compute":{"osProfile":{"computerName":"vm1"}}}`:            true,
		`{"compute":{},"network":{}}`:                                 false,
		`{"compute":{"vmId":""}}`:                                     false,
		`{"network":{"interface":[]}}`:                                false,
		`{"error":"Server error"}`:                                    false,
	} {
		instance, err := ParseInstance([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		err = instance.Complete()
		if complete != (err == nil) || !complete && !errors.Is(err, azprov.ErrNotReady) {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func FuzzParseInstance(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"compute":{"vmId":"x","name":1,"publicKeys":[{"keyData":"ssh-rsa A\r\nB"},null,"x"]},"network":[]}`,
		`{"COMPUTE":{"Name":true},"compute":{"userData":"aGk=","tags":"a:b;c"}}`,
		`{"network":{"interface":[{"macAddress":"00-0d","ipv4":{"ipAddress":[{"privateIpAddress":"[::1]"}],"subnet":[{"address":"10.0.0.0","prefix":"99"}]}}]}}`,
		`{"extended":{"compute":{"hasCustomData":false,"ppsType":"None"}}}`, `[`, `{"a":`, "\uFEFF{}", `{"compute":{"userData":"[redacted]"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		instance, err := ParseInstance(document)
		if err != nil {
			if kind := azprov.KindOf(err); kind != azprov.KindMalformed && kind != azprov.KindTooLarge {
				t.Fatalf("kind %s: %v", kind, err)
			}
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("not one line: %q", err)
			}
			return
		}
		if instance.Raw().RevealString() != string(document) {
			t.Fatal("Raw differs from the document")
		}
		if name := instance.Compute.HostName(); instance.Compute.OSProfile.ComputerName == "" && (len(name) > maxHostName || strings.ContainsAny(name, "_ \n")) {
			t.Fatalf("host name %q", name)
		}
		for _, key := range instance.Compute.PublicKeys {
			if line, ok := key.OpenSSH(); ok && strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("key %q is not one line", line)
			}
		}
		for _, nic := range instance.Network.Interface {
			for _, prefix := range append(nic.IPv4Prefixes(), nic.IPv6Prefixes()...) {
				if !prefix.IsValid() {
					t.Fatalf("invalid prefix of %+v", nic)
				}
			}
		}
		_, _ = instance.Compute.UserDataBytes()
		_ = instance.Compute.TagMap()
	})
}
