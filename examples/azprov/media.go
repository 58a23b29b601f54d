package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

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

func (a *app) mediaCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show IMAGE|DEVICE", Short: "Show what is on a provisioning disc",
		Long: `Reads a disc, or an image of one, without mounting it: its volume (UDF or ISO 9660), its
files, and what its ovf-env.xml says. Password and custom data are redacted without
--reveal. A disc without ovf-env.xml is shown all the same.`,
		Example: `  sudo azprov media show /dev/sr0
  azprov media show medium.img --output json`,
		Args: oneArgument("IMAGE"), Annotations: map[string]string{annotationAction: "show the disc"},
		RunE: func(_ *cobra.Command, args []string) error { return a.runMediaShow(args[0]) },
	}
	var to directory
	extract := &cobra.Command{
		Use: "extract --to DIR IMAGE|DEVICE", Short: "Copy the files of a provisioning disc",
		Long: `Copies all files of a disc, or of an image of one, to DIR, without mounting it. They may
hold a password: what is written can be read by its owner only. At most ` + strconv.Itoa(maxDiscFiles) + ` files and
64 MiB.`,
		Example: `  sudo azprov media extract --to ./medium /dev/sr0
  azprov media extract --to ./medium medium.img`,
		Args: oneArgument("IMAGE"), Annotations: map[string]string{annotationAction: "extract the disc"},
		RunE: func(_ *cobra.Command, args []string) error { return a.runMediaExtract(args[0], to.value) },
	}
	extract.Flags().Var(&to, "to", "`DIR` to write to; it is made")
	return groupCommand("media", "Show or extract a provisioning disc, or an image of one",
		"Reads the disc on which a VM gets its ovf-env.xml: in user space, without a mount.", show, extract)
}

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

func (a *app) runMediaShow(path string) error {
	disc, err := media.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = disc.Close() }()
	files, warnings := listFiles(disc.FS)
	warnings = append(disc.Warnings, warnings...)
	env, err := ovf.ReadFS(disc.FS)
	if err != nil {
		warnings = append(warnings, "it is no provisioning medium: "+err.Error())
	}
	document := struct {
		Type        media.FileSystem `json:"type"`
		Label       string           `json:"label"`
		Details     string           `json:"details"`
		Files       []discFile       `json:"files"`
		Environment *ovf.Environment `json:"environment"`
		Warnings    []string         `json:"warnings"`
	}{disc.Type, disc.Label, disc.Details, files, env, warnings}
	return a.print(document, func(w io.Writer) {
		facts := []fact{{name: "volume", value: string(disc.Type) + ", " + disc.Details}, {name: "label", value: disc.Label}}
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

func (a *app) runMediaExtract(path, to string) error {
	if to == "" {
		return usagef("", "--to DIR is missing")
	}
	disc, err := media.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = disc.Close() }()
	x := &extraction{disc: disc.FS, path: path, to: to, left: maxDiscData, files: []discFile{}}
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
