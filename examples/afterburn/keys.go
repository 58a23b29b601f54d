package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/provision"
)

// keysDir and keysFile are where Afterburn keeps its keys below a home. sshd reads them
// where AuthorizedKeysFile or AuthorizedKeysCommand says so.
const (
	keysDir  = ".ssh/authorized_keys.d"
	keysFile = "afterburn"
)

// The ids of Afterburn's messages in the journal, which console-login-helper-messages
// looks for.
const (
	messageKeysAdded   = "0f7d7a502f2d433caa1323440a6b4190"
	messageKeysRemoved = "f8b91c53f5544868a3a10d0dcf68e9ea"
)

// sshKeys are the administrator's. A VM that IMDS has no keys for has none; an Azure Stack
// may have them in certificates alone. NotFound: nothing says which they are.
func (p *platform) sshKeys(ctx context.Context, wait time.Duration) ([]string, error) {
	compute, err := p.compute(ctx)
	if err != nil || len(compute.PublicKeys) == 0 && !p.stack {
		return nil, err
	}
	client, err := p.wireServer(ctx)
	if err != nil {
		return nil, err
	}
	keys, warnings, err := provision.SSHKeys(ctx, compute, p.disc(wait), provision.CertificateKeys(client, nil))
	for _, warning := range warnings {
		p.app.note("warning: %s", warning)
	}
	return unique(keys), err
}

// unique is the keys without repetitions.
func unique(keys []string) []string {
	var kept []string
	for _, key := range keys {
		if !slices.Contains(kept, key) {
			kept = append(kept, key)
		}
	}
	return kept
}

// writeKeys writes the keys of the administrator to the user's, and removes the file if
// there are none. Those of an emulated platform are shown: nobody wants them installed.
func (a *app) writeKeys(ctx context.Context, p *platform) error {
	if a.flags.emulate != "" {
		lines, err := p.sshKeys(ctx, media.NoWait)
		if err != nil {
			return err
		}
		return a.write(toStdout, authorizedKeys(lines), 0o600)
	}
	account, err := a.account(a.flags.sshKeys)
	if err != nil {
		return usagef("the user must be there before its keys", "--ssh-keys: no user %q", a.flags.sshKeys)
	}
	path := filepath.Join(account.HomeDir, filepath.FromSlash(keysDir), keysFile)
	wait := media.DefaultWait
	_, missing := os.Lstat(path)
	if missing == nil { // this is a later boot, and the medium gone
		wait = media.NoWait
	}
	lines, err := p.sshKeys(ctx, wait)
	if azprov.KindOf(err) == azprov.KindNotFound && missing == nil {
		a.note("warning: %v; %s is left as it is", err, path)
		return nil
	}
	if err != nil {
		return err
	}
	changed, err := installKeys(account, lines)
	if err != nil {
		return fileError("--ssh-keys", path, err)
	}
	switch {
	case !changed:
		a.note("%s is as it should be", path)
	case len(lines) == 0:
		a.note("removed %s: the platform has no SSH keys", path)
		a.toJournal(messageKeysRemoved, "removed SSH keys", account.Username, path)
	default:
		a.note("wrote %s", path)
		a.toJournal(messageKeysAdded, "wrote SSH authorized keys", account.Username, path)
	}
	return nil
}

func authorizedKeys(lines []string) []byte {
	var text bytes.Buffer
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	return text.Bytes()
}

// installKeys replaces the file below the user's home. The home is the user's to fill
// with links: nothing is done outside of it, and no link is followed where the file and
// its directories are to be.
func installKeys(account *user.User, lines []string) (changed bool, err error) {
	home, err := os.OpenRoot(account.HomeDir)
	if err != nil {
		return false, err
	}
	defer func() { _ = home.Close() }()
	file := keysDir + "/" + keysFile
	text := authorizedKeys(lines)
	if len(lines) == 0 {
		err := home.Remove(file)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	for _, dir := range []string{".ssh", keysDir} {
		if err := ownDir(home, dir, account); err != nil {
			return false, err
		}
	}
	if info, err := home.Lstat(file); err == nil && info.Mode() == 0o600 {
		if b, err := home.ReadFile(file); err == nil && bytes.Equal(b, text) {
			return false, nil
		}
	}
	temporary := keysDir + "/." + keysFile + "-" + strconv.Itoa(os.Getpid())
	_ = home.Remove(temporary) // one of a process that was killed
	f, err := home.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	_, err = f.Write(text)
	err = errors.Join(err, giveTo(f, account), f.Sync(), f.Close())
	if err == nil {
		err = home.Rename(temporary, file)
	}
	if err != nil {
		_ = home.Remove(temporary)
	}
	return err == nil, err
}

// ownDir makes a directory of the user's, if it is not there.
func ownDir(home *os.Root, dir string, account *user.User) error {
	err := home.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		info, err := home.Lstat(dir)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "use", Path: dir, Err: errors.New("it is no directory")}
		}
		return err
	}
	if err != nil {
		return err
	}
	d, err := home.Open(dir + "/.") // a directory, whatever the user has made of it meanwhile
	if err != nil {
		return err
	}
	return errors.Join(giveTo(d, account), d.Close())
}

// giveTo makes the user the owner, which only root can do, and only root needs to.
func giveTo(f *os.File, account *user.User) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return err
	}
	return f.Chown(uid, gid)
}

// toJournal writes a message for other programs, in journald's own protocol. Where there
// is no journal nobody waits for it.
func (a *app) toJournal(id, message, username, path string) {
	c, err := net.Dial("unixgram", a.journal) //nolint:noctx // A datagram to a local socket.
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(c, "MESSAGE=%s\nMESSAGE_ID=%s\nPRIORITY=5\nSYSLOG_IDENTIFIER=afterburn\nAFTERBURN_USER_NAME=%s\nAFTERBURN_PATH=%s\n",
		message+" for "+username, id, username, path)
	_ = c.Close()
}
