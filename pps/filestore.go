package pps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/atomicfile"
)

// maxMarker is far more than a marker has.
const maxMarker = 4 << 10

// FileStore keeps the marker in a file, which must be on a disk that outlives a reboot. It
// is JSON, readable by its owner alone, replaced whole, and on the disk when Save returns.
// Its directory is made if it is not there.
func FileStore(path string) Store { return fileStore(path) }

type fileStore string

// markerDocument is the file's form.
type markerDocument struct {
	VMID  azprov.VMID `json:"vmId"`
	Phase Phase       `json:"phase"`
	At    time.Time   `json:"at"`
}

func (s fileStore) Load(context.Context) (Marker, bool, error) {
	b, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return Marker{}, false, nil
	}
	if err != nil {
		return Marker{}, false, err
	}
	var doc markerDocument
	decoder := json.NewDecoder(bytes.NewReader(b))
	if err := decoder.Decode(&doc); err != nil {
		return Marker{}, false, s.fail("Load", azprov.KindMalformed, "is no marker", err)
	}
	if doc.VMID.IsZero() || doc.Phase == "" {
		return Marker{}, false, s.fail("Load", azprov.KindMalformed, "is a marker without id or phase", nil)
	}
	return Marker(doc), true, nil
}

func (s fileStore) read() ([]byte, error) {
	info, err := os.Lstat(string(s))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, s.fail("Load", azprov.KindInternal, "cannot be read", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxMarker {
		return nil, s.fail("Load", azprov.KindMalformed, "is not a small regular file", nil)
	}
	b, err := os.ReadFile(string(s))
	if err != nil {
		return nil, s.fail("Load", azprov.KindInternal, "cannot be read", err)
	}
	return b, nil
}

func (s fileStore) Save(_ context.Context, marker Marker) error {
	b, err := json.Marshal(markerDocument(marker))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(string(s)), 0o700)
	}
	if err == nil {
		err = atomicfile.Write(string(s), append(b, '\n'))
	}
	if err != nil {
		return s.fail("Save", azprov.KindInternal, "cannot be written", err)
	}
	return nil
}

func (s fileStore) Clear(context.Context) error {
	if err := atomicfile.Remove(string(s)); err != nil {
		return s.fail("Clear", azprov.KindInternal, "cannot be removed", err)
	}
	return nil
}

func (s fileStore) fail(method string, kind azprov.Kind, message string, err error) error {
	return &azprov.Error{
		Op: "pps.FileStore." + method, Target: filepath.Clean(string(s)), Kind: kind, Message: "the file " + message, Last: err,
	}
}
