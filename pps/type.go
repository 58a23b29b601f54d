package pps

import (
	"slices"
	"strconv"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
)

// Type is how a VM of a pool gets its owner.
type Type string

// The types (cloud-init: DataSourceAzure.py, class PPSType).
const (
	// TypeNone is a VM that is its owner's.
	TypeNone Type = "None"
	// TypeRunning keeps running and has its network switched to the owner's.
	TypeRunning Type = "Running"
	// TypeSavable may be suspended, and has its network interface exchanged.
	TypeSavable Type = "Savable"
	// TypePreprovisionedOSDisk is shut down; only its disk goes to the owner.
	TypePreprovisionedOSDisk Type = "PreprovisionedOSDisk"
	// TypeUnknown had reported to the pool before it was rebooted: whatever it was, the
	// owner's data is all that is left to wait for.
	TypeUnknown Type = "Unknown"
)

// PossibleTypeValues returns all types.
func PossibleTypeValues() []Type {
	return []Type{TypeNone, TypeRunning, TypeSavable, TypePreprovisionedOSDisk, TypeUnknown}
}

// Evidence is what a VM knows of its type.
type Evidence struct {
	// Marker: there is a [Marker] of this VM; see [FindMarker].
	Marker bool
	// OVF is the medium's document, nil without a medium.
	OVF *ovf.Environment
	// IMDS is extended.compute.ppsType, empty if IMDS did not say.
	IMDS imds.PPSType
}

// byPrecedence are the types that either source can name, the first match first: Savable
// beats the OS disk, which beats Running, whoever says so (cloud-init:
// DataSourceAzure.py, _determine_pps_type).
var byPrecedence = []Type{TypeSavable, TypePreprovisionedOSDisk, TypeRunning}

// Determine returns the VM's type: Unknown if it has reported to its pool before, else the
// strongest that medium or IMDS names, else None. Words are compared exactly. A word that
// is none of the platform's counts as None and gives a warning; whoever can read IMDS
// again does so before.
func Determine(e Evidence) (kind Type, warnings []string) {
	var fromOVF Type
	pooled := false
	if e.OVF != nil {
		fromOVF = Type(e.OVF.Platform.PreprovisionedVMType)
		pooled = e.OVF.Platform.PreprovisionedVM == azprov.SwitchOn
	}
	fromIMDS := Type(e.IMDS)
	warnings = append(unknownWord("the medium", fromOVF), unknownWord("IMDS", fromIMDS)...)
	if e.Marker {
		return TypeUnknown, warnings
	}
	for _, kind := range byPrecedence {
		if fromOVF == kind || fromIMDS == kind {
			return kind, warnings
		}
	}
	if pooled {
		return TypeRunning, warnings
	}
	return TypeNone, warnings
}

// unknownWord warns of a word that is not the platform's: Unknown is an agent's own.
func unknownWord(source string, word Type) []string {
	if word == "" || word == TypeNone || slices.Contains(byPrecedence, word) {
		return nil
	}
	return []string{
		"the pre-provisioning type " + strconv.Quote(azprov.OneLine(string(word))) + " of " + source + " is unknown and was taken as None",
	}
}
