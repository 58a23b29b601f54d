package main

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/atomicfile"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

// What is taken from a disc: a provisioning medium has two files at its root, and less
// than 2 MiB.
const (
	maxDiscFiles = 1000
	maxDiscData  = 64 << 20
)

// mediaFlags are those of the verbs that look for the medium.
type mediaFlags struct {
	wait time.Duration
	to   directory
}

func (a *app) mediaCommand() *cobra.Command {
	f := &mediaFlags{}
	show := &cobra.Command{
		Use: "show [DEVICE|IMAGE]", Short: "Show what is on a provisioning disc",
		Long: `Reads a disc, or an image of one, without mounting it: its volume (UDF or ISO 9660), its
files, and what its ovf-env.xml says. Password and custom data are redacted without
--reveal. A named disc without ovf-env.xml is shown all the same.

` + mediaSearch,
		Example: `  sudo azprov media show
  sudo azprov media show /dev/sr0 --wait 30s
  azprov media show medium.img --output json`,
		Args: atMostOneArgument, Annotations: map[string]string{annotationAction: "show the disc"},
		RunE: func(command *cobra.Command, args []string) error { return a.runMediaShow(command.Context(), args, f) },
	}
	extract := &cobra.Command{
		Use: "extract --to DIR [DEVICE|IMAGE]", Short: "Copy the files of a provisioning disc",
		Long: `Copies all files of a disc, or of an image of one, to DIR, without mounting it. They may
hold a password: what is written can be read by its owner only. At most ` + strconv.Itoa(maxDiscFiles) + ` files and
64 MiB.

` + mediaSearch,
		Example: `  sudo azprov media extract --to ./medium
  azprov media extract --to ./medium medium.img`,
		Args: atMostOneArgument, Annotations: map[string]string{annotationAction: "extract the disc"},
		RunE: func(command *cobra.Command, args []string) error {
			return a.runMediaExtract(command.Context(), args, f)
		},
	}
	extract.Flags().Var(&f.to, "to", "`DIR` to write to; it is made")
	eject := &cobra.Command{
		Use: "eject [DEVICE]", Short: "Eject the provisioning disc",
		Long: `Unlocks the drive and opens it, so that nobody finds the password that may be on the disc.
A disc that is mounted has to be unmounted first.

` + mediaSearch,
		Example: `  sudo azprov media eject
  sudo azprov media eject /dev/sr0`,
		Args: atMostOneArgument, Annotations: map[string]string{annotationAction: "eject the disc"},
		RunE: func(command *cobra.Command, args []string) error { return a.runMediaEject(command.Context(), args, f) },
	}
	for _, verb := range []*cobra.Command{show, extract, eject} {
		verb.Flags().Var(patience{&f.wait}, "wait", "how long to wait for a disc that is not there yet")
	}
	return groupCommand("media", "Show, extract or eject the provisioning disc",
		"The disc on which a VM gets its ovf-env.xml, read in user space, without a mount.", show, extract, eject)
}

// mediaSearch explains what is done without an argument.
const mediaSearch = `Without an argument the disc is looked for: in optical drives first, then on other devices
of at most 64 MiB that are read-only or removable, never on a disk that can be written.`

// discFile is a file on a disc.
type discFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// listFiles lists a disc's files. What cannot be listed any further is a warning.
func listFiles(disc fs.FS) (files []discFile, warnings []string) {
	err := fs.WalkDir(disc, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case len(files) == maxDiscFiles:
			warnings = append(warnings, "there are more files than are listed")
			return fs.SkipAll
		case entry.IsDir():
			return nil
		}
		info, err := entry.Info()
		if err == nil {
			files = append(files, discFile{path, info.Size()})
		}
		return err
	})
	if err != nil {
		warnings = append(warnings, "not all files can be listed: "+err.Error())
	}
	return files, warnings
}

func (a *app) runMediaShow(ctx context.Context, args []string, f *mediaFlags) error {
	disc, err := a.openDisc(ctx, args, f)
	if err != nil {
		return err
	}
	defer disc.close()
	files, warnings := listFiles(disc.FS)
	warnings = append(disc.Warnings, warnings...)
	env, err := ovf.ReadFS(disc.FS)
	if err != nil {
		warnings = append(warnings, "it is no provisioning medium: "+err.Error())
	}
	document := struct {
		Path        string           `json:"path"`
		Type        media.FileSystem `json:"type"`
		Label       string           `json:"label"`
		Details     string           `json:"details"`
		Files       []discFile       `json:"files"`
		Environment *ovf.Environment `json:"environment"`
		Warnings    []string         `json:"warnings"`
	}{disc.path, disc.Type, disc.Label, disc.Details, files, env, warnings}
	return a.print(document, func(w io.Writer) {
		facts := []fact{{name: "disc", value: disc.path}}
		if disc.Type != "" {
			facts = append(facts, fact{name: "volume", value: string(disc.Type) + ", " + disc.Details}, fact{name: "label", value: disc.Label})
		}
		for _, f := range files {
			facts = append(facts, fact{name: "file", value: f.Name + ", " + plural(int(f.Size), "byte", "bytes")})
		}
		printFacts(w, "", facts)
		if env != nil {
			printEnvironment(w, env, a.global.reveal)
			printWarnings(w, env.Warnings)
		}
		printWarnings(w, warnings)
	})
}

func (a *app) runMediaExtract(ctx context.Context, args []string, f *mediaFlags) error {
	to := f.to.value
	if to == "" {
		return usagef("", "--to DIR is missing")
	}
	disc, err := a.openDisc(ctx, args, f)
	if err != nil {
		return err
	}
	defer disc.close()
	x := &extraction{disc: disc.FS, path: disc.path, to: to, left: maxDiscData, files: []discFile{}}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fileError("extract", to, err)
	}
	if err := fs.WalkDir(disc.FS, ".", x.take); err != nil {
		return err
	}
	printWarnings(a.err, disc.Warnings)
	return a.print(object{{"to", to}, {"files", x.files}}, func(w io.Writer) {
		for _, f := range x.files {
			printFacts(w, "", []fact{{name: "file", value: f.Name + ", " + plural(int(f.Size), "byte", "bytes")}})
		}
		a.remark("%s written to %s", plural(len(x.files), "file", "files"), to)
	})
}

// extraction copies a disc.
type extraction struct {
	disc     fs.FS
	path, to string
	left     int64
	files    []discFile
}

// take copies one file, or makes one directory. A disc's names have no separators in
// them, so that nothing gets out of the directory; on systems with more separators than
// one, filepath.Localize sees to it.
func (x *extraction) take(name string, entry fs.DirEntry, err error) error {
	local, nameErr := filepath.Localize(name)
	switch {
	case err != nil:
		return x.failure(name, "cannot be read", err)
	case nameErr != nil:
		return x.failure(name, "the name is not possible here", nameErr)
	case name == ".":
		return nil
	case entry.IsDir():
		if err := os.MkdirAll(filepath.Join(x.to, local), 0o700); err != nil {
			return fileError("extract", x.to, err)
		}
		return nil
	case len(x.files) == maxDiscFiles:
		return x.failure(name, "there are more than "+strconv.Itoa(maxDiscFiles)+" files", nil)
	}
	file, err := x.disc.Open(name)
	if err != nil {
		return x.failure(name, "cannot be read", err)
	}
	defer func() { _ = file.Close() }()
	b, err := io.ReadAll(io.LimitReader(file, x.left+1))
	switch {
	case err != nil:
		return x.failure(name, "cannot be read", err)
	case int64(len(b)) > x.left:
		return x.failure(name, "there are more than 64 MiB on the disc", nil)
	}
	x.left -= int64(len(b))
	if err := atomicfile.Write(filepath.Join(x.to, local), b); err != nil {
		return fileError("extract", filepath.Join(x.to, local), err)
	}
	x.files = append(x.files, discFile{name, int64(len(b))})
	return nil
}

func (x *extraction) failure(name, message string, err error) error {
	return &azprov.Error{
		Op: "media extract", Target: filepath.Clean(x.path) + ": " + azprov.OneLine(name),
		Kind: azprov.KindMalformed, Message: message, Last: err,
	}
}
