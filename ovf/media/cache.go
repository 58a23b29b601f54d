package media

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/atomicfile"
	"github.com/azprov/azprov/ovf"
)

// ErrForeignCache is in the tree of the error of a copy that was made on another machine:
// its image was taken without removing the copy. To use it would give this machine the
// other's name, user and keys.
var ErrForeignCache = errors.New("media: the copy of the medium is another machine's")

// maxCache bounds a copy: the largest document has 1 MiB, of which JSON may make six times
// as much: it writes "<" as "\u003c".
const maxCache = 6<<20 + 4<<10

// Cache is a redacted copy of a medium in a file, for boots after the one that read it:
// the platform's disc is gone then. Passwords and custom data are not in it.
type Cache struct {
	// Path is the file, 0600. Its directory must exist.
	Path string
	// VMID is this machine. Without one there is no copy: it could be anybody's.
	VMID azprov.VMID
}

// copied is the file's content.
type copied struct {
	VMID azprov.VMID `json:"vmId"`
	// Document is the ovf-env.xml, redacted.
	Document string `json:"ovfEnv"`
	// CustomData tells that there was some, which no redacted document need show.
	CustomData bool `json:"hadCustomData"`
}

// Save writes the copy, atomically. A document that cannot be redacted is not written.
//
// Errors: Malformed (the document), Denied and Internal (the file), Internal (no VMID).
func (c *Cache) Save(env *ovf.Environment) error {
	const op = "media.Cache.Save"
	if c.VMID.IsZero() {
		return &azprov.Error{Op: op, Target: c.Path, Kind: azprov.KindInternal, Message: "without a VM id nobody knows whose copy it is"}
	}
	document, err := env.Redacted()
	if err != nil {
		return err
	}
	b, err := json.Marshal(copied{c.VMID, string(document), env.CustomData.Len() > 0 || env.CustomDataRedacted})
	if err == nil {
		err = atomicfile.Write(c.Path, b)
	}
	if err != nil {
		return fileError(op, c.Path, "the copy cannot be written", err)
	}
	return nil
}

// Load reads the copy.
//
// Errors: NotFound (there is none), Internal with [ErrForeignCache], Malformed (it is
// damaged), Denied, TooLarge.
func (c *Cache) Load() (*ovf.Environment, error) {
	const op = "media.Cache.Load"
	b, err := readCache(c.Path)
	if err != nil {
		return nil, fileError(op, c.Path, "the copy cannot be read", err)
	}
	var content copied
	if err := json.Unmarshal(b, &content); err != nil {
		return nil, &azprov.Error{Op: op, Target: filepath.Clean(c.Path), Kind: azprov.KindMalformed, Message: "the copy is damaged", Last: err}
	}
	if c.VMID.IsZero() || !content.VMID.Same(c.VMID) {
		return nil, &azprov.Error{
			Op: op, Target: filepath.Clean(c.Path), Kind: azprov.KindInternal, Last: ErrForeignCache,
			Message: "refused: the copy is VM " + content.VMID.String() + "'s and this is " + orUnknown(c.VMID),
			Hint:    "remove the file before an image is taken of a machine",
		}
	}
	env, err := ovf.Parse([]byte(content.Document))
	if err != nil {
		return nil, err
	}
	env.CustomDataRedacted = env.CustomDataRedacted || content.CustomData
	return env, nil
}

func readCache(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxCache+1))
	if err == nil && len(b) > maxCache {
		err = &azprov.Error{Kind: azprov.KindTooLarge, Message: "larger than a copy can be"}
	}
	return b, err
}

func orUnknown(id azprov.VMID) string {
	if id.IsZero() {
		return "of unknown id"
	}
	return id.String()
}
