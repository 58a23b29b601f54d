package media

import (
	"context"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

// Source says where [Open] has found the medium.
type Source string

// The sources, in the order in which they are tried.
const (
	// SourceSeed is a directory that somebody has filled.
	SourceSeed Source = "seed"
	// SourceMount is a disc that was mounted already, and is left so.
	SourceMount Source = "mount"
	// SourceDevice is a device or an image that was read without a mount.
	SourceDevice Source = "device"
	// SourceKernel is a device that only the kernel could read: it was mounted for a
	// moment.
	SourceKernel Source = "kernel"
	// SourceCache is the redacted copy of an earlier boot.
	SourceCache Source = "cache"
)

// PossibleSourceValues returns all sources.
func PossibleSourceValues() []Source {
	return []Source{SourceSeed, SourceMount, SourceDevice, SourceKernel, SourceCache}
}

// Medium is a provisioning medium that was found and read. Nothing is held open.
type Medium struct {
	Source Source
	// Path is the directory, the device, the image or the copy that was read.
	Path string
	// Device is the device or the image that the medium is on, empty if it is on none.
	Device string
	// Type and Label are those of its volume, empty of a directory and a copy.
	Type  FileSystem
	Label string
	// Warnings is what was odd, without secrets.
	Warnings []string

	env    *ovf.Environment
	err    error
	system System
}

// Environment returns what the medium's ovf-env.xml and CustomData.bin say. The error of
// a document that cannot be used is that of [ovf.ReadFS], with the reason to report: the
// medium is the right one, and waiting would not mend it.
func (m *Medium) Environment() (*ovf.Environment, error) { return m.env, m.err }

// Eject opens the drive that the medium is in, which may hold a password in clear text.
// It does nothing with a medium that is on no device; one on a disk or in an image is an
// error. For errors see [Eject].
func (m *Medium) Eject(ctx context.Context) error {
	if m.Device == "" {
		return nil
	}
	return Eject(ctx, m.Device, &EjectOptions{System: m.system})
}

// Outcome is what a look at one place has shown.
type Outcome string

// The outcomes. Only those of discs that are damaged, unreadable, forbidden, busy or not
// ready make the error of [Open] another than NotFound.
const (
	// OutcomeMedium is the provisioning medium.
	OutcomeMedium Outcome = "medium"
	// OutcomePassedOver is a device that cannot be one, or might be a user's.
	OutcomePassedOver Outcome = "passedOver"
	// OutcomeAbsent is a place that is not there, or not any more.
	OutcomeAbsent Outcome = "absent"
	// OutcomeNoDisc is a drive that is empty or open.
	OutcomeNoDisc Outcome = "noDisc"
	// OutcomeNotReady is a drive that has not read its disc yet.
	OutcomeNotReady Outcome = "notReady"
	// OutcomeBusy is a device that did not answer within its time; it may yet.
	OutcomeBusy Outcome = "busy"
	// OutcomeNoVolume is a device without a UDF or ISO 9660 volume.
	OutcomeNoVolume Outcome = "noVolume"
	// OutcomeNoDocument is a volume without ovf-env.xml and CustomData.bin.
	OutcomeNoDocument Outcome = "noDocument"
	// OutcomeNotAzure is an ovf-env.xml of another platform.
	OutcomeNotAzure Outcome = "notAzure"
	// OutcomeDamaged is a volume that makes no sense.
	OutcomeDamaged Outcome = "damaged"
	// OutcomeUnreadable is a device that fails to read.
	OutcomeUnreadable Outcome = "unreadable"
	// OutcomeDenied is a device that this process may not open.
	OutcomeDenied Outcome = "denied"
)

// PossibleOutcomeValues returns all outcomes.
func PossibleOutcomeValues() []Outcome {
	return []Outcome{
		OutcomeMedium, OutcomePassedOver, OutcomeAbsent, OutcomeNoDisc, OutcomeNotReady, OutcomeBusy, OutcomeNoVolume,
		OutcomeNoDocument, OutcomeNotAzure, OutcomeDamaged, OutcomeUnreadable, OutcomeDenied,
	}
}

// Sighting is one place that was looked at.
type Sighting struct {
	// Path is the device, the image or the directory.
	Path    string  `json:"path"`
	Outcome Outcome `json:"outcome"`
	// Detail is for people, in one line.
	Detail string `json:"detail,omitempty"`
}

// String is the sighting in one line.
func (s Sighting) String() string {
	text := s.Detail
	if text == "" {
		text = string(s.Outcome)
	}
	return s.Path + ": " + text
}

// severity orders outcomes by how much they say about why there is no medium.
func (o Outcome) severity() (rank int, kind azprov.Kind) {
	switch o {
	case OutcomeBusy, OutcomeNotReady:
		return 1, azprov.KindNotReady
	case OutcomeDenied:
		return 2, azprov.KindDenied
	case OutcomeUnreadable:
		return 3, azprov.KindInternal
	case OutcomeDamaged:
		return 4, azprov.KindMalformed
	case OutcomeMedium, OutcomePassedOver, OutcomeAbsent, OutcomeNoDisc, OutcomeNoVolume, OutcomeNoDocument, OutcomeNotAzure:
	}
	return 0, azprov.KindNotFound
}
