package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
)

// accounts is how users are made: programs of the system, or the files themselves.
type accounts interface {
	// find returns an account; ok is false if there is none.
	find(ctx context.Context, name string) (a account, ok bool, err error)
	// create makes an account with its home, as a member of the groups too.
	create(ctx context.Context, name string, groups []string) error
	// join makes an account that is there a member of the groups.
	join(ctx context.Context, name string, groups []string) error
	// setHash sets the password's hash; "!" and what was there lock it.
	setHash(ctx context.Context, name, hash string) error
}

// account is a line of /etc/passwd, with the hash of /etc/shadow.
type account struct {
	owner
	name, home, hash string
}

// locked: no password opens it.
func (a account) locked() bool {
	return strings.HasPrefix(a.hash, "!") || strings.HasPrefix(a.hash, "*")
}

// parseAccount reads a line of /etc/passwd.
func parseAccount(fields []string) (account, error) {
	if len(fields) != 7 {
		return account{}, fmt.Errorf("etc/passwd: a line has %d fields", len(fields))
	}
	uid, err := strconv.Atoi(fields[2])
	if err != nil {
		return account{}, fmt.Errorf("etc/passwd: %s has no number: %w", fields[0], err)
	}
	gid, err := strconv.Atoi(fields[3])
	if err != nil {
		return account{}, fmt.Errorf("etc/passwd: %s has no group: %w", fields[0], err)
	}
	return account{owner{uid, gid}, fields[0], fields[5], fields[1]}, nil
}

// runner runs a program with a text on its standard input, and returns what it printed.
type runner func(ctx context.Context, stdin, name string, args ...string) (string, error)

// programs are those of the system: shadow-utils, and getent for what is in no file.
type programs struct {
	run  runner
	tree *tree
}

func (p programs) find(ctx context.Context, name string) (account, bool, error) {
	line, err := p.run(ctx, "", "getent", "passwd", name)
	if exitStatus(err) == 2 {
		return account{}, false, nil
	}
	if err != nil {
		return account{}, false, err
	}
	a, err := parseAccount(strings.Split(strings.TrimSpace(line), ":"))
	if err != nil {
		return account{}, false, err
	}
	shadow, err := readTable(p.tree, shadowFile)
	if row := shadow.find(name); row != nil {
		a.hash = row[1]
	}
	return a, true, err
}

func (p programs) create(ctx context.Context, name string, groups []string) error {
	args := []string{name, "--comment", comment, "-d", "/home/" + name, "-m"}
	if len(groups) > 0 {
		args = append(args, "--groups", strings.Join(groups, ","))
	}
	_, err := p.run(ctx, "", "useradd", args...)
	return err
}

func (p programs) join(ctx context.Context, name string, groups []string) error {
	if len(groups) == 0 {
		return nil
	}
	_, err := p.run(ctx, "", "usermod", "-aG", strings.Join(groups, ","), name)
	return err
}

func (p programs) setHash(ctx context.Context, name, hash string) error {
	if strings.HasPrefix(hash, "!") {
		_, err := p.run(ctx, "", "passwd", "-l", name)
		return err
	}
	_, err := p.run(ctx, name+":"+hash+"\n", "chpasswd", "-e")
	return err
}

// comment stands in the accounts that are made here.
const comment = "azure-init"

// checkUserName refuses names that would be something else in a line of sudoers(5) or on a
// command line.
func checkUserName(name string) error {
	plain := len(name) > 0 && len(name) <= 32
	lower := false
	for i, r := range []byte(name) {
		letter := r >= 'a' && r <= 'z'
		lower = lower || letter
		other := r >= '0' && r <= '9' || r == '-' || r == '.'
		plain = plain && (letter || r >= 'A' && r <= 'Z' || r == '_' || other && i > 0)
	}
	if plain && lower && name != "Defaults" && !strings.HasSuffix(name, "_Alias") {
		return nil
	}
	return &azprov.Error{
		Op: "user", Target: name, Kind: azprov.KindMalformed, Message: "cannot be used",
		Hint: "1 to 32 letters, digits, _, - and ., beginning with a letter or _, not all in capitals",
	}
}

// splitLines returns the lines of a file without their ends.
func splitLines(b []byte) []string {
	text := string(bytes.TrimSuffix(b, []byte("\n")))
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
