package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov/ovf"
)

func (a *app) ovfCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show FILE|DIR", Short: "Show what an ovf-env.xml says",
		Long: `Parses an ovf-env.xml and shows what it says. FILE may be - for standard input; DIR is a
mounted provisioning medium, whose CustomData.bin counts too. Password and custom
data are redacted without --reveal.`,
		Example: `  azprov ovf show /mnt
  azprov ovf show ovf-env.xml --output json`,
		Args: oneArgument("FILE"), Annotations: map[string]string{annotationAction: "show the OVF environment"},
		RunE: func(_ *cobra.Command, args []string) error { return a.runOVFShow(args[0]) },
	}
	redact := &cobra.Command{
		Use: "redact FILE", Short: "Print a copy of an ovf-env.xml without its secrets",
		Long: `Prints a copy of an ovf-env.xml in which every password, custom data, user data and
private key is replaced by ` + ovf.RedactedText + `. FILE may be - for standard input. For a file that
cannot be parsed nothing of it is printed. --reveal changes nothing here.`,
		Example: `  azprov ovf redact /mnt/ovf-env.xml > ovf-env.redacted.xml`,
		Args:    oneArgument("FILE"), Annotations: map[string]string{annotationAction: "redact the OVF environment"},
		RunE: func(_ *cobra.Command, args []string) error { return a.runOVFRedact(args[0]) },
	}
	return groupCommand("ovf", "Show or redact the OVF environment, ovf-env.xml",
		"Reads ovf-env.xml, the document on a VM's provisioning medium.", show, redact)
}

// environment reads what a path names.
func (a *app) environment(path string) (*ovf.Environment, error) {
	var medium fs.FS
	if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
		medium = os.DirFS(path)
	} else {
		b, err := a.readFile(path)
		if err != nil {
			return nil, err
		}
		medium = oneFileMedium(b)
	}
	return ovf.ReadFS(medium)
}

func (a *app) runOVFShow(path string) error {
	env, err := a.environment(path)
	if err != nil {
		return err
	}
	return a.print(env, func(w io.Writer) {
		printEnvironment(w, env, a.global.reveal)
		printWarnings(w, env.Warnings)
	})
}

func printEnvironment(w io.Writer, env *ovf.Environment, reveal bool) {
	facts := []fact{
		{name: "host name", value: env.HostName},
		{name: "user", value: env.UserName},
		{name: "password", value: size(env.UserPassword)},
		{name: "SSH passwords disabled", value: env.DisableSSHPasswordAuthentication.String()},
		{name: "custom data", value: size(env.CustomData)},
		{name: "SSH keys", value: strconv.Itoa(len(env.PublicKeys))},
	}
	if env.UserPasswordRedacted {
		facts[2].value = "redacted in the document"
	}
	if env.CustomDataRedacted {
		facts[4].value = "redacted in the document"
	}
	if !env.CustomDataText.IsZero() {
		facts[4].value = "not base64: " + size(env.CustomDataText)
	}
	for _, key := range env.PublicKeys {
		text := "fingerprint " + key.Thumbprint()
		if key.Value != "" {
			text = describeKey(key.Value)
		}
		facts = append(facts, fact{value: text + " for " + key.Path})
	}
	for _, pair := range env.KeyPairs {
		facts = append(facts, fact{name: "key pair", value: pair.Thumbprint() + " for " + pair.Path})
	}
	platform := env.Platform
	facts = append(facts,
		fact{name: "guest agent", value: platform.ProvisionGuestAgent.String()},
		fact{name: "guest proxy agent", value: platform.ProvisionGuestProxyAgent.String()},
		fact{name: "pre-provisioned", value: platform.PreprovisionedVM.String()},
		fact{name: "pre-provisioned type", value: string(platform.PreprovisionedVMType)},
	)
	printFacts(w, "", facts)
	if reveal {
		printSecret(w, "password", env.UserPassword)
		printSecret(w, "custom data", env.CustomData)
		printSecret(w, "custom data as it came", env.CustomDataText)
	}
}

func (a *app) runOVFRedact(path string) error {
	b, err := a.readFile(path)
	if err != nil {
		return err
	}
	redacted, err := ovf.Redacted(b)
	if err != nil {
		return err
	}
	return a.print(object{{"document", string(redacted)}}, func(w io.Writer) { _, _ = fmt.Fprintf(w, "%s", redacted) })
}
