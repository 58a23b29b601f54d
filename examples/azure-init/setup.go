package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/sha512crypt"
	"github.com/azprov/azprov/provision"
)

// The back ends that the configuration can name. Below --root it is always files.
const (
	backendFiles       = "files"
	backendHostnamectl = "hostnamectl"
	backendSethostname = "sethostname"
)

var (
	hostNameBackends = []string{backendHostnamectl, backendSethostname, backendFiles}
	userBackends     = []string{"useradd", backendFiles}
	passwordBackends = []string{"passwd", backendFiles}
)

const (
	sudoersFile  = "etc/sudoers.d/azure-init-user"
	hostNameFile = "etc/hostname"
	// lowestUser is UID_MIN where nothing else is said: accounts below are the system's.
	lowestUser = 1000
	// customDataFile is below the data directory.
	customDataFile = "custom-data"
)

// setup makes the machine what it is to be.
type setup struct {
	config *config
	tree   *tree
	// rooted: the tree is not the running system, and nothing but its files is touched.
	rooted bool
	groups []string
	run    runner
	// setKernelName sets the running system's host name.
	setKernelName func(string) error
	// say tells what came of a step.
	say func(verb, note string)
}

// apply is all steps, for provision.Options.
func (s *setup) apply(ctx context.Context, m *provision.Machine) error {
	for _, step := range steps {
		if err := s.do(ctx, step, m); err != nil {
			return err
		}
	}
	return nil
}

// do is one step. Its failure has the reason that azure-init reports.
func (s *setup) do(ctx context.Context, step step, m *provision.Machine) error {
	note, err := step.do(s, ctx, m)
	if err == nil {
		s.say(step.verb, note)
		return nil
	}
	reason, details := azprov.ReasonOf(err)
	if reason != reasonNoUser && reason != reasonUserNotFound {
		reason = step.reason
	}
	return &azprov.Error{
		Op: step.verb, Kind: azprov.KindOf(err), Message: err.Error(), Last: err, Reason: reason,
		Details: append([]azprov.Detail{{Key: "error", Value: azprov.OneLine(err.Error())}}, details...),
	}
}

// first tries back ends until one succeeds.
func (s *setup) first(backends []string, act func(backend string) error) error {
	if s.rooted {
		return act(backendFiles)
	}
	var errs []error
	for _, backend := range backends {
		err := act(backend)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", backend, err))
	}
	return errors.Join(errs...)
}

func (s *setup) accounts(backend string) accounts {
	if backend == backendFiles {
		return accountFiles{s.tree}
	}
	return programs{s.run, s.tree}
}

func (s *setup) setHostName(ctx context.Context, m *provision.Machine) (string, error) {
	if m.HostName == "" {
		return "nobody names the machine", nil
	}
	if err := checkHostName(m.HostName); err != nil {
		return "", err
	}
	return m.HostName, s.first(s.config.HostNames.Backends, func(backend string) error {
		if backend == backendHostnamectl {
			_, err := s.run(ctx, "", "hostnamectl", "set-hostname", m.HostName)
			return err
		}
		if err := s.tree.mkdir("etc", 0o755, owner{}); err != nil {
			return err
		}
		if _, err := s.tree.rewrite(hostNameFile, []byte(m.HostName+"\n"), 0o644); err != nil || backend == backendFiles {
			return err
		}
		return s.setKernelName(m.HostName)
	})
}

// checkHostName refuses what hostname(7) does not allow. The kernel takes 64 bytes.
func checkHostName(name string) error {
	good := len(name) <= 64
	for label := range strings.SplitSeq(name, ".") {
		good = good && label != "" && len(label) <= 63 && strings.Trim(label, "-") == label &&
			!strings.ContainsFunc(label, func(r rune) bool {
				return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
			})
	}
	if good {
		return nil
	}
	return &azprov.Error{
		Op: "host name", Target: name, Kind: azprov.KindMalformed, Message: "cannot be used",
		Hint: "at most 64 letters, digits, hyphens and dots, no part longer than 63",
	}
}

func (s *setup) createUser(ctx context.Context, m *provision.Machine) (note string, err error) {
	if m.User.Name == "" {
		return "", &azprov.Error{Op: "user", Kind: azprov.KindNotFound, Message: "nobody names one", Reason: reasonNoUser}
	}
	if err := checkUserName(m.User.Name); err != nil {
		return "", err
	}
	err = s.first(s.config.Users.Backends, func(backend string) error {
		to := s.accounts(backend)
		a, there, err := to.find(ctx, m.User.Name)
		switch {
		case err != nil:
			return err
		case there && a.uid < lowestUser:
			return fmt.Errorf("%s is an account of the system's own", a.name)
		case there:
			note = a.name + " was there"
			return to.join(ctx, a.name, s.groups)
		}
		note = m.User.Name + " made"
		return to.create(ctx, m.User.Name, s.groups)
	})
	return note, err
}

// user finds the account again that a step before has made.
func (s *setup) user(ctx context.Context, m *provision.Machine) (a account, err error) {
	if err := checkUserName(m.User.Name); err != nil {
		return account{}, err
	}
	err = s.first(s.config.Users.Backends, func(backend string) error {
		var there bool
		a, there, err = s.accounts(backend).find(ctx, m.User.Name)
		if err == nil && !there {
			err = &azprov.Error{
				Op: "user", Target: m.User.Name, Kind: azprov.KindNotFound, Message: "there is none",
				Reason: reasonUserNotFound, Details: []azprov.Detail{{Key: "user", Value: m.User.Name}},
			}
		}
		return err
	})
	return a, err
}

// hashRounds make a guess at a password cost some 10 ms.
const hashRounds = 10_000

// setPassword sets the password, or locks it where the platform has none. The programs get
// its hash: the clear text leaves this process nowhere.
func (s *setup) setPassword(ctx context.Context, m *provision.Machine) (note string, err error) {
	a, err := s.user(ctx, m)
	if err != nil {
		return "", err
	}
	password, hash := m.User.Password.Reveal(), ""
	switch {
	case len(password) == 0 && a.locked():
		return "locked already", nil
	case len(password) == 0:
		note, hash = "locked", "!"+a.hash
	case sha512crypt.Matches(a.hash, password):
		return "the same as before", nil
	default:
		if hash, err = sha512crypt.New(password, hashRounds); err != nil {
			return "", &azprov.Error{Op: "password", Kind: azprov.KindMalformed, Message: "the password cannot be hashed", Last: err}
		}
		note = "set"
	}
	return note, s.first(s.config.Passwords.Backends, func(backend string) error {
		return s.accounts(backend).setHash(ctx, a.name, hash)
	})
}

// grantSudo is the waagent's rule: who has a password gives it.
func (s *setup) grantSudo(ctx context.Context, m *provision.Machine) (string, error) {
	a, err := s.user(ctx, m)
	if err != nil {
		return "", err
	}
	rule, note := " ALL=(ALL) ALL", "with the password"
	if a.locked() {
		rule, note = " ALL=(ALL) NOPASSWD: ALL", "without a password"
	}
	old, err := s.tree.read(sudoersFile)
	if err != nil {
		return "", err
	}
	rules := slices.DeleteFunc(splitLines(old), func(line string) bool { return strings.HasPrefix(line, a.name+" ") })
	rules = append(rules, a.name+rule) // those of other users stay
	if err := s.tree.mkdir(path.Dir(sudoersFile), 0o755, owner{}); err != nil {
		return "", err
	}
	_, err = s.tree.write(sudoersFile, []byte(strings.Join(rules, "\n")+"\n"), 0o440, owner{})
	return note, err
}

func (s *setup) configureSSHD(_ context.Context, m *provision.Machine) (string, error) {
	on, known := m.PasswordAuthentication.Value()
	switch {
	case !s.config.SSH.ConfigureSSHDPasswordAuthentication:
		return "left alone, as configured", nil
	case !known:
		return "left as the image has it", nil
	}
	return s.tree.setPasswordAuthentication(on)
}

func (s *setup) installKeys(ctx context.Context, m *provision.Machine) (string, error) {
	a, err := s.user(ctx, m)
	if err != nil {
		return "", err
	}
	return s.tree.mergeKeys(s.config, a, m.User.SSHKeys)
}

func (s *setup) takeCustomData(ctx context.Context, m *provision.Machine) (string, error) {
	data, action := m.CustomData.Reveal(), s.config.CustomData.Action
	name := path.Join(strings.TrimPrefix(s.config.DataDir.Path, "/"), customDataFile)
	size := strconv.Itoa(len(data)) + " bytes"
	switch {
	case len(data) == 0:
		return "there is none", nil
	case action == actionWarn:
		return size + ", which nobody takes: custom_data.action is " + actionWarn, nil
	}
	if err := s.tree.mkdir(path.Dir(name), 0o755, owner{}); err != nil {
		return "", err
	}
	script := action == actionExecute && strings.HasPrefix(string(data), "#!")
	mode := os.FileMode(0o600)
	if script {
		mode = 0o700
	}
	if _, err := s.tree.write(name, data, mode, owner{}); err != nil || !script || s.rooted {
		return size + " saved as /" + name, err
	}
	if _, err := s.run(ctx, "", "/"+name); err != nil {
		status := strconv.Itoa(exitStatus(err)) // What it printed may hold secrets.
		return "", &azprov.Error{
			Op: "run /" + name, Kind: azprov.KindInternal, Message: "the script ended with status " + status,
			Details: []azprov.Detail{{Key: "command", Value: "/" + name}, {Key: "exit_status", Value: status}},
		}
	}
	return size + " saved as /" + name + " and run", nil
}

// runProgram is the runner of a real system. The error says why a program failed in its own
// last words; what it was given to read is in none.
func runProgram(ctx context.Context, stdin, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // The names are ours; a user's own was checked.
	command.Stdin = strings.NewReader(stdin)
	var words strings.Builder
	command.Stderr = &words
	out, err := command.Output()
	if err == nil {
		return string(out), nil
	}
	last := azprov.OneLine(words.String())
	return string(out), &azprov.Error{
		Op: path.Base(name), Kind: azprov.KindInternal, Message: "the program failed: " + last[max(0, len(last)-200):], Last: err,
		Reason: reasonSubprocess, Details: []azprov.Detail{
			{Key: "command", Value: strings.Join(append([]string{name}, args...), " ")},
			{Key: "exit_status", Value: strconv.Itoa(exitStatus(err))},
		},
	}
}

// exitStatus is that of a program that failed, -1 for any other error.
func exitStatus(err error) int {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}
