package pps_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/pps"
)

func medium(pooled azprov.Switch, kind string) *ovf.Environment {
	return &ovf.Environment{Platform: ovf.PlatformSettings{PreprovisionedVM: pooled, PreprovisionedVMType: ovf.PreprovisionedVMType(kind)}}
}

func TestDetermine(t *testing.T) {
	t.Parallel()
	const on, off, unset = azprov.SwitchOn, azprov.SwitchOff, azprov.SwitchUnset
	for _, row := range []struct {
		name   string
		medium *ovf.Environment
		imds   imds.PPSType
		want   pps.Type
		warns  string // sources that are complained of
	}{
		{"neither source", nil, "", pps.TypeNone, ""},
		{"a medium that says nothing", medium(unset, ""), "", pps.TypeNone, ""},
		{"a medium that says no", medium(off, ""), "None", pps.TypeNone, ""},
		{"a medium that says None", medium(off, "None"), "", pps.TypeNone, ""},
		{"pooled, without a type", medium(on, ""), "", pps.TypeRunning, ""},
		{"pooled, None", medium(on, "None"), "None", pps.TypeRunning, ""},
		{"the medium says Running", medium(off, "Running"), "", pps.TypeRunning, ""},
		{"the medium says Savable", medium(on, "Savable"), "", pps.TypeSavable, ""},
		{"the medium says OS disk", medium(on, "PreprovisionedOSDisk"), "", pps.TypePreprovisionedOSDisk, ""},
		{"IMDS alone says Running", nil, "Running", pps.TypeRunning, ""},
		{"IMDS alone says Savable", nil, "Savable", pps.TypeSavable, ""},
		{"IMDS alone says OS disk", nil, "PreprovisionedOSDisk", pps.TypePreprovisionedOSDisk, ""},
		{"IMDS says more than the medium", medium(on, ""), "Savable", pps.TypeSavable, ""},
		{"IMDS says less than the medium", medium(on, "Savable"), "None", pps.TypeSavable, ""},
		{"Savable beats Running", medium(on, "Running"), "Savable", pps.TypeSavable, ""},
		{"Savable beats the OS disk", medium(on, "PreprovisionedOSDisk"), "Savable", pps.TypeSavable, ""},
		{"the OS disk beats Running", medium(on, "Running"), "PreprovisionedOSDisk", pps.TypePreprovisionedOSDisk, ""},
		{"the OS disk beats Running the other way", medium(on, "PreprovisionedOSDisk"), "Running", pps.TypePreprovisionedOSDisk, ""},
		{"words are exact", medium(off, "running"), "SAVABLE", pps.TypeNone, "the medium, IMDS"},
		{"Unknown is no word of the platform's", nil, "Unknown", pps.TypeNone, "IMDS"},
		{"an unknown word hides no known one", medium(off, "Floating"), "Running", pps.TypeRunning, "the medium"},
		{"an unknown word in a pool", medium(on, "Floating"), "", pps.TypeRunning, "the medium"},
	} {
		for _, marker := range []bool{false, true} {
			want := row.want
			if marker {
				want = pps.TypeUnknown
			}
			got, warnings := pps.Determine(pps.Evidence{Marker: marker, OVF: row.medium, IMDS: row.imds})
			if got != want {
				t.Errorf("%s, marker %v: %s, want %s", row.name, marker, got, want)
			}
			var sources []string
			for _, w := range warnings {
				_, rest, _ := strings.Cut(w, " of ")
				source, _, _ := strings.Cut(rest, " is unknown")
				sources = append(sources, source)
			}
			if strings.Join(sources, ", ") != row.warns {
				t.Errorf("%s, marker %v: warnings %q, want of %q", row.name, marker, warnings, row.warns)
			}
		}
	}
}

func TestUnknownWordsCannotForgeLines(t *testing.T) {
	t.Parallel()
	_, warnings := pps.Determine(pps.Evidence{IMDS: "Sav\nable\x00"})
	if len(warnings) != 1 || strings.ContainsAny(warnings[0], "\n\x00") || !strings.Contains(warnings[0], `"Sav able"`) {
		t.Errorf("%q", warnings)
	}
}

func TestEnumerationsAreComplete(t *testing.T) {
	t.Parallel()
	if got := pps.PossibleTypeValues(); len(got) != 5 || !slices.Contains(got, pps.TypeUnknown) {
		t.Error(got)
	}
	if got := pps.PossibleOperStateValues(); len(got) != 7 {
		t.Error(got)
	}
	if got := pps.PossibleLinkEventKindValues(); len(got) != 4 {
		t.Error(got)
	}
	if got := pps.PossiblePhaseValues(); len(got) != 2 {
		t.Error(got)
	}
}
