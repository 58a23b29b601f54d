package emulator

import (
	"io"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
)

// ImageFormat is a form of disc that the provisioning medium can be written as.
type ImageFormat string

// The formats. Azure's own discs are UDF; a bridge is UDF and ISO 9660 over the same
// files, which every agent finds something on.
const (
	ImageFormatBridge  ImageFormat = "bridge"
	ImageFormatUDF     ImageFormat = "udf"
	ImageFormatISO9660 ImageFormat = "iso9660"
)

// PossibleImageFormatValues returns all formats, the default first.
func PossibleImageFormatValues() []ImageFormat {
	return []ImageFormat{ImageFormatBridge, ImageFormatUDF, ImageFormatISO9660}
}

// imageLabel is what tells people that no platform made the disc.
const imageLabel = "AZPROV"

// WriteMediumImage writes the provisioning medium as the image of a disc, for a loop
// device or the CD drive of a virtual machine; an empty format is a bridge. The same
// scenario gives the same bytes. It holds the password in clear text.
//
// Errors: NotFound if the scenario has no medium, Internal if w fails or the format is
// not known.
func (f *Fabric) WriteMediumImage(w io.Writer, format ImageFormat) error {
	const op = "emulator.Fabric.WriteMediumImage"
	medium, ok := f.Medium()
	if !ok {
		return &azprov.Error{Op: op, Kind: azprov.KindNotFound, Message: "the scenario has no provisioning medium"}
	}
	err := discimage.Write(w, medium, discimage.Options{Format: discimage.Format(format), Label: imageLabel})
	if err != nil {
		return &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: "the image cannot be written", Last: err}
	}
	return nil
}
