package media_test

import (
	"syscall"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/ovf/media"
)

// drivesOfLinux fail with errors that other systems do not have.
func drivesOfLinux() []situation {
	return []situation{
		{
			name: "a device that vanishes in mid-read", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(failing(udfReadsToDocument-1, syscall.ENODEV)))
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: it has gone", after: 30 * second,
		},
		{
			name: "a disc that is taken out in mid-read", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(failing(6, syscall.ENOMEDIUM)))
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: no disc in the drive", after: 30 * second,
		},
		{
			name: "a node without a device", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", (&fakeDisc{}).with(func(d *fakeDisc) { d.openErr = syscall.ENXIO }))
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: it has gone", after: 30 * second,
		},
	}
}

// What a device's absence is to who has named it.
func TestNamedDeviceThatIsNotThere(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]string{
		syscall.ENXIO: "no such device or address", syscall.ENODEV: "no such device", syscall.ENOMEDIUM: "there is no disc in the drive",
	} {
		w := newWorld(t)
		w.drive("sr0", (&fakeDisc{}).with(func(d *fakeDisc) { d.openErr = errno }))
		_, opened := media.OpenDisc("/dev/sr0", &media.OpenDiscOptions{System: w})
		ejected := media.Eject(t.Context(), "/dev/sr0", &media.EjectOptions{System: w})
		for op, err := range map[string]error{"media.OpenDisc": opened, "media.Eject": ejected} {
			is(t, err, op, azprov.KindNotFound, want)
		}
	}
}
