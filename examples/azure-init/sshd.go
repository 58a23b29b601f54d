package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	sshdConfig  = "etc/ssh/sshd_config"
	sshdDropIn  = "etc/ssh/sshd_config.d/50-azure-init.conf"
	blockBegin  = "# azure-init: begin\n"
	blockEnd    = "# azure-init: end\n"
	defaultKeys = ".ssh/authorized_keys"
	// maxIncludes bounds files that include each other; sshd's own limit is 16.
	maxIncludes = 16
)

// sshdLine is a line of sshd's configuration in force for all users.
type sshdLine struct {
	file    string
	keyword string // in lower case
	args    []string
}

// sshdLines reads the configuration with the files it includes, in sshd's order, up to the
// first Match. No program is asked: sshd -G is missing in older versions, -T wants host keys,
// and neither looks below --root.
func (t *tree) sshdLines(file string, depth int) ([]sshdLine, error) {
	text, err := t.read(file)
	if err != nil || depth > maxIncludes {
		return nil, err
	}
	var lines []sshdLine
	for _, line := range splitLines(text) {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t=\"\r", r) })
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		l := sshdLine{file, strings.ToLower(words[0]), words[1:]}
		if l.keyword == "match" {
			break
		}
		lines = append(lines, l)
		if l.keyword != "include" {
			continue
		}
		for _, pattern := range l.args {
			files, err := fs.Glob(t.FS(), includePath(pattern))
			if err != nil {
				return nil, err
			}
			for _, file := range files { // in the order of their names, as sshd has it
				included, err := t.sshdLines(file, depth+1)
				if err != nil {
					return nil, err
				}
				lines = append(lines, included...)
			}
		}
	}
	return lines, nil
}

func includePath(pattern string) string {
	if path.IsAbs(pattern) {
		return path.Clean(pattern)[1:]
	}
	return path.Join("etc/ssh", pattern)
}

// firstLine returns the line that counts for a keyword, the first one.
func firstLine(lines []sshdLine, keyword string) (sshdLine, bool) {
	i := slices.IndexFunc(lines, func(l sshdLine) bool { return l.keyword == keyword })
	if i < 0 {
		return sshdLine{}, false
	}
	return lines[i], true
}

// setPasswordAuthentication writes sshd's switch: a drop-in where sshd reads those, else a
// block at the top of its file. The note says what came of it.
func (t *tree) setPasswordAuthentication(on bool) (note string, err error) {
	if _, err := t.Stat(sshdConfig); err != nil {
		return "there is no /" + sshdConfig, nil //nolint:nilerr // An image without sshd needs no switch.
	}
	value, text := "yes", "PasswordAuthentication yes\n"
	if !on {
		// PAM asks for passwords in its own way, too.
		value, text = "no", "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
	}
	lines, err := t.sshdLines(sshdConfig, 0)
	if err != nil {
		return "", err
	}
	if includes(lines, sshdDropIn) {
		if err := t.mkdir(path.Dir(sshdDropIn), 0o755, owner{}); err != nil {
			return "", err
		}
		_, err = t.write(sshdDropIn, []byte(text), 0o600, owner{})
	} else {
		err = t.prependBlock(sshdConfig, text)
	}
	if err != nil {
		return "", err
	}
	if lines, err = t.sshdLines(sshdConfig, 0); err != nil {
		return "", err
	}
	note = "PasswordAuthentication " + value
	if l, ok := firstLine(lines, "passwordauthentication"); !ok || l.args[0] != value {
		note += ", but /" + l.file + " comes first and says " + strings.Join(l.args, " ")
	}
	return note, nil
}

func includes(lines []sshdLine, file string) bool {
	return slices.ContainsFunc(lines, func(l sshdLine) bool {
		return l.keyword == "include" && slices.ContainsFunc(l.args, func(pattern string) bool {
			ok, err := path.Match(includePath(pattern), file)
			return ok && err == nil
		})
	})
}

// prependBlock puts a block of lines at the top, in place of the one of an earlier run.
func (t *tree) prependBlock(file, text string) error {
	b, err := t.ReadFile(file)
	if err != nil {
		return err
	}
	rest := string(b)
	if before, after, ok := strings.Cut(rest, blockBegin); ok {
		if _, after, ok = strings.Cut(after, blockEnd); ok {
			rest = before + after
		}
	}
	_, err = t.rewrite(file, []byte(blockBegin+text+blockEnd+rest), 0o644)
	return err
}

// keysPath is where sshd looks for a user's keys: below the home, or below the tree.
func (t *tree) keysPath(c *config, a account) (name string, inHome bool, err error) {
	name = cmp.Or(c.SSH.AuthorizedKeysPath, defaultKeys)
	if c.SSH.QuerySSHDConfig {
		lines, err := t.sshdLines(sshdConfig, 0)
		if err != nil {
			return "", false, err
		}
		if l, ok := firstLine(lines, "authorizedkeysfile"); ok && l.args[0] != "none" {
			name = l.args[0]
		}
	}
	name = strings.NewReplacer("%%", "%", "%h", a.home, "%u", a.name, "%U", strconv.Itoa(a.uid)).Replace(name)
	if !path.IsAbs(name) {
		return path.Clean(name), true, nil
	}
	if below, ok := strings.CutPrefix(path.Clean(name), path.Clean(a.home)+"/"); ok {
		return below, true, nil
	}
	return path.Clean(name)[1:], false, nil
}

// mergeKeys adds the keys that are not in a user's file yet. What is there stays.
func (t *tree) mergeKeys(c *config, a account, keys []string) (note string, err error) {
	name, inHome, err := t.keysPath(c, a)
	if err != nil {
		return "", err
	}
	where, above := t, owner{}
	if inHome {
		if where, err = t.sub(strings.TrimPrefix(a.home, "/")); err != nil {
			return "", err
		}
		defer func() { _ = where.Close() }()
		above = a.owner
	}
	mode := fs.FileMode(0o700)
	if !inHome {
		mode = 0o755
	}
	if err := where.mkdir(path.Dir(name), mode, above); err != nil {
		return "", err
	}
	text, err := where.read(name)
	if err != nil {
		return "", err
	}
	merged, added := withKeys(string(text), keys)
	_, err = where.write(name, []byte(merged), 0o600, a.owner)
	return fmt.Sprintf("%d added, %d there", added, len(keys)-added), err
}

// withKeys adds keys to the text of an authorized_keys file.
func withKeys(text string, keys []string) (merged string, added int) {
	there := map[string]bool{}
	for _, line := range splitLines([]byte(text)) {
		there[keyBody(line)] = true
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for _, key := range keys {
		if body := keyBody(key); !there[body] {
			there[body] = true
			added++
			text += strings.TrimSpace(key) + "\n"
		}
	}
	return text, added
}

// keyBody is the part of a line of authorized_keys that makes the key: its base64, which
// always begins so because it begins with the length of its type's name.
func keyBody(line string) string {
	for word := range strings.FieldsSeq(line) {
		if strings.HasPrefix(word, "AAAA") {
			return word
		}
	}
	return strings.TrimSpace(line)
}
