package azprov

import (
	"encoding/hex"
	"strings"
)

// VMID identifies a virtual machine: what IMDS calls compute.vmId. It prints in
// lower case with dashes. Two VMIDs may name the same machine and yet differ, in
// the byte order of their first three groups; use [VMID.Same].
type VMID [16]byte

// vmidGroups is the number of bytes in each dashed group of a UUID.
var vmidGroups = [...]int{4, 2, 2, 2, 6}

// ParseVMID reads the dashed form, in either case, with blanks around it. Any
// other form is an error of [KindMalformed].
func ParseVMID(s string) (VMID, error) {
	s = strings.TrimSpace(s)
	var id VMID
	bad := &Error{
		Op: "azprov.ParseVMID", Kind: KindMalformed,
		Message: "a VM id has 36 characters, like 91267c52-9f02-4cfe-b1f4-a4da7ebac2cf",
		Reason:  "failure to identify Azure VM ID",
		Details: []Detail{{Key: "system_uuid", Value: OneLine(s)}},
	}
	groups := strings.Split(s, "-")
	if len(groups) != len(vmidGroups) {
		return VMID{}, bad
	}
	at := 0
	for i, group := range groups {
		if len(group) != 2*vmidGroups[i] {
			return VMID{}, bad
		}
		if _, err := hex.Decode(id[at:], []byte(group)); err != nil {
			return VMID{}, bad
		}
		at += vmidGroups[i]
	}
	return id, nil
}

// String returns the dashed lower-case form.
func (id VMID) String() string {
	groups := make([]string, 0, len(vmidGroups))
	at := 0
	for _, n := range vmidGroups {
		groups = append(groups, hex.EncodeToString(id[at:at+n]))
		at += n
	}
	return strings.Join(groups, "-")
}

// IsZero reports whether id is all zeros: no id.
func (id VMID) IsZero() bool { return id == VMID{} }

// Swapped returns id with the bytes of its first three groups reversed. It is its
// own inverse.
//
// Azure writes these groups little-endian. SMBIOS 2.6 and later define them so
// and Linux shows them right; a generation 1 VM has SMBIOS 2.3, where Linux takes
// them for big-endian.
func (id VMID) Swapped() VMID {
	s := id
	s[0], s[1], s[2], s[3] = id[3], id[2], id[1], id[0]
	s[4], s[5] = id[5], id[4]
	s[6], s[7] = id[7], id[6]
	return s
}

// Same reports whether both name one machine, in either byte order. Zero ids name
// no machine.
func (id VMID) Same(other VMID) bool {
	return !id.IsZero() && (id == other || id == other.Swapped())
}

// SameVM reports whether two texts name one machine, whatever their case and byte
// order. A text that is no VM id names none.
func SameVM(a, b string) bool {
	x, errX := ParseVMID(a)
	y, errY := ParseVMID(b)
	return errX == nil && errY == nil && x.Same(y)
}

// MarshalText returns the dashed form, "" for the zero id.
func (id VMID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads what [ParseVMID] does; empty text gives the zero id.
func (id *VMID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = VMID{}
		return nil
	}
	parsed, err := ParseVMID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
