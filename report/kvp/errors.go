package kvp

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/azprov/azprov"
)

// errNotAFile is for what is at the pool's path and is no regular file.
var errNotAFile = errors.New("not a regular file, or a symbolic link")

// fileErrors says what a failure of the file is; the first that fits counts.
var fileErrors = []struct {
	is      error
	kind    azprov.Kind
	message string
	hint    string
}{
	{fs.ErrNotExist, azprov.KindNotFound, "there is no pool", "hv_kvp_daemon makes it when it starts; Options.Create makes it before"},
	{fs.ErrPermission, azprov.KindDenied, "the pool cannot be opened", ""},
	{errNotAFile, azprov.KindMalformed, "the pool is not used", ""},
	{errTooLarge, azprov.KindTooLarge, "the pool is not used", "clear it: what a boot has to tell is far less"},
}

// fail makes the error of an operation. One of the package's own passes.
func (p *Pool) fail(method string, err error) error {
	var known *azprov.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &azprov.Error{
		Op: "kvp.Pool." + method, Target: filepath.Clean(p.path), Kind: azprov.KindInternal,
		Message: "the pool cannot be used", Last: err,
	}
	for _, row := range fileErrors {
		if errors.Is(err, row.is) {
			e.Kind, e.Message, e.Hint = row.kind, row.message, row.hint
			break
		}
	}
	return e
}
