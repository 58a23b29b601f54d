package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The files of the accounts.
const (
	passwdFile  = "etc/passwd"
	shadowFile  = "etc/shadow"
	groupFile   = "etc/group"
	gshadowFile = "etc/gshadow"
)

// accountFiles edits the files of the accounts, as useradd(8), usermod(8) and chpasswd(8) do.
type accountFiles struct{ tree *tree }

// table is a file with a record in each line, its fields between colons.
type table struct {
	name string
	rows [][]string
	// there: the file exists.
	there bool
}

func readTable(t *tree, name string) (*table, error) {
	b, err := t.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &table{name: name}, nil
	}
	rows := [][]string{}
	for _, line := range splitLines(b) {
		rows = append(rows, strings.Split(line, ":"))
	}
	return &table{name, rows, true}, err
}

// find returns the record of a name, which can be changed in place; nil if there is none.
func (t *table) find(name string) []string {
	for _, row := range t.rows {
		if row[0] == name && len(row) > 1 {
			return row
		}
	}
	return nil
}

func (t *table) write(to *tree, mode fs.FileMode) error {
	var text strings.Builder
	for _, row := range t.rows {
		text.WriteString(strings.Join(row, ":") + "\n")
	}
	_, err := to.rewrite(t.name, []byte(text.String()), mode)
	return err
}

// next is the number for a new record: one above the highest in use, as useradd has it, or
// the lowest that is free. The number is each record's third field.
func (t *table) next(lowest, highest int) (int, error) {
	used := map[int]bool{}
	last := lowest - 1
	for _, row := range t.rows {
		if len(row) > 2 {
			n, err := strconv.Atoi(row[2])
			used[n] = err == nil
			if err == nil && n <= highest {
				last = max(last, n)
			}
		}
	}
	if last < highest {
		return last + 1, nil
	}
	for n := lowest; n <= highest; n++ {
		if !used[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s: no number from %d to %d is free", t.name, lowest, highest)
}

// database are the files of the accounts, read to be changed.
type database struct{ passwd, shadow, group, gshadow *table }

func (f accountFiles) read() (d database, err error) {
	var errs [4]error
	d.passwd, errs[0] = readTable(f.tree, passwdFile)
	d.shadow, errs[1] = readTable(f.tree, shadowFile)
	d.group, errs[2] = readTable(f.tree, groupFile)
	d.gshadow, errs[3] = readTable(f.tree, gshadowFile)
	return d, errors.Join(errs[:]...)
}

// write ends with passwd: an account that is not in there is made once more.
func (f accountFiles) write(d database) error {
	err := d.group.write(f.tree, 0o644)
	if d.gshadow.there {
		err = errors.Join(err, d.gshadow.write(f.tree, 0o600))
	}
	return errors.Join(err, d.shadow.write(f.tree, 0o600), d.passwd.write(f.tree, 0o644))
}

// change reads the files, and writes them again as edit left them, locked all the while.
func (f accountFiles) change(ctx context.Context, edit func(*database) error) error {
	unlock, err := f.tree.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	d, err := f.read()
	if err == nil {
		err = edit(&d)
	}
	if err != nil {
		return err
	}
	return f.write(d)
}

func (f accountFiles) find(_ context.Context, name string) (account, bool, error) {
	d, err := f.read()
	row := d.passwd.find(name)
	if err != nil || row == nil {
		return account{}, false, err
	}
	a, err := parseAccount(row)
	if row := d.shadow.find(name); row != nil {
		a.hash = row[1]
	}
	return a, true, err
}

func (f accountFiles) create(ctx context.Context, name string, groups []string) error {
	return f.change(ctx, func(d *database) error {
		uid, err := d.passwd.next(f.setting("UID_MIN", 1000), f.setting("UID_MAX", 60000))
		if err != nil {
			return err
		}
		gid, err := f.ownGroup(d, name, uid)
		if err != nil {
			return err
		}
		if err := d.join(name, groups); err != nil {
			return err
		}
		home := path.Join("home", name)
		if err := f.makeHome(home, owner{uid, gid}); err != nil {
			return err
		}
		if d.shadow.find(name) == nil {
			d.shadow.rows = append(d.shadow.rows, []string{name, "!", today(), "0", "99999", "7", "", "", ""})
		}
		d.passwd.rows = append(d.passwd.rows,
			[]string{name, "x", strconv.Itoa(uid), strconv.Itoa(gid), comment, "/" + home, f.shell()})
		return nil
	})
}

// ownGroup makes the user's group, with the user's number if it is free.
func (f accountFiles) ownGroup(d *database, name string, uid int) (int, error) {
	lowest := f.setting("GID_MIN", 1000)
	if row := d.group.find(name); row != nil { // left by a run that was cut short, or the system's
		gid, err := strconv.Atoi(row[min(2, len(row)-1)])
		if err == nil && gid < lowest {
			err = fmt.Errorf("there is a group %s of the system", name)
		}
		return gid, err
	}
	gid, number := uid, strconv.Itoa(uid)
	if slices.ContainsFunc(d.group.rows, func(row []string) bool { return len(row) > 2 && row[2] == number }) {
		var err error
		if gid, err = d.group.next(lowest, f.setting("GID_MAX", 60000)); err != nil {
			return 0, err
		}
	}
	d.group.rows = append(d.group.rows, []string{name, "x", strconv.Itoa(gid), ""})
	if d.gshadow.there && d.gshadow.find(name) == nil {
		d.gshadow.rows = append(d.gshadow.rows, []string{name, "!", "", ""})
	}
	return gid, nil
}

// makeHome makes a home from /etc/skel, all at once. One that is there is left alone.
func (f accountFiles) makeHome(home string, own owner) error {
	if _, err := f.tree.Lstat(home); err == nil {
		return nil
	}
	if err := f.tree.mkdir("home", 0o755, owner{}); err != nil {
		return err
	}
	mode := fs.FileMode(f.setting("HOME_MODE", 0o777&^f.setting("UMASK", 0o022)) & 0o777)
	temporary := path.Join("home", ".azure-init-"+path.Base(home))
	if err := errors.Join(f.tree.RemoveAll(temporary), f.tree.copyDir("etc/skel", temporary, mode, own)); err != nil {
		return err
	}
	return f.tree.Rename(temporary, home)
}

func (f accountFiles) join(ctx context.Context, name string, groups []string) error {
	return f.change(ctx, func(d *database) error { return d.join(name, groups) })
}

// join makes a user a member of groups, which must be there.
func (d *database) join(name string, groups []string) error {
	for _, group := range groups {
		row := d.group.find(group)
		if len(row) < 4 {
			return fmt.Errorf("there is no group %s", group)
		}
		addMember(row, name)
		if row := d.gshadow.find(group); len(row) == 4 {
			addMember(row, name)
		}
	}
	return nil
}

// addMember adds a name to a record's fourth field.
func addMember(row []string, name string) {
	members := strings.FieldsFunc(row[3], func(r rune) bool { return r == ',' })
	if !slices.Contains(members, name) {
		row[3] = strings.Join(append(members, name), ",")
	}
}

func (f accountFiles) setHash(ctx context.Context, name, hash string) error {
	return f.change(ctx, func(d *database) error {
		row := d.shadow.find(name)
		if len(row) < 3 {
			return fmt.Errorf("%s has no usable line for %s", shadowFile, name)
		}
		row[1], row[2] = hash, today()
		return nil
	})
}

// today is how shadow(5) counts days.
func today() string { return strconv.FormatInt(time.Now().Unix()/(24*60*60), 10) }

// setting is a number of login.defs(5); like there one with a leading 0 is octal.
func (f accountFiles) setting(name string, standard int) int {
	text, _ := f.tree.read("etc/login.defs")
	for _, line := range splitLines(text) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == name {
			if n, err := strconv.ParseInt(words[1], 0, 32); err == nil {
				return int(n)
			}
		}
	}
	return standard
}

// shell is useradd's, from its own defaults.
func (f accountFiles) shell() string {
	text, _ := f.tree.read("etc/default/useradd")
	shell := ""
	for _, line := range splitLines(text) {
		if value, ok := strings.CutPrefix(line, "SHELL="); ok {
			shell = value
		}
	}
	return cmp.Or(shell, "/bin/sh")
}
