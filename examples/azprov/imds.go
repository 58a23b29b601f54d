package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
)

func (a *app) imdsCommand() *cobra.Command {
	return groupCommand("imds", "Ask the Instance Metadata Service",
		"Reads the Instance Metadata Service. It answers five requests a second, to all programs\nof a VM together.",
		a.imdsInstanceCommand(), a.imdsUserDataCommand(), a.imdsVersionsCommand(), a.imdsGetCommand())
}

// askIMDS runs do with a client, within --timeout.
func (a *app) askIMDS(command *cobra.Command, do func(context.Context, *imds.Client) error) error {
	ctx, cancel := a.context(command.Context())
	defer cancel()
	if err := a.requireAzure(a.global.imds); err != nil {
		return err
	}
	client, err := a.imdsClient(a.logger(a.err), a.tellRetry)
	if err != nil {
		return err
	}
	return do(ctx, client)
}

func (a *app) imdsInstanceCommand() *cobra.Command {
	var raw bool
	command := &cobra.Command{
		Use: "instance", Short: "Read the instance document",
		Long: `Reads the whole instance document as provisioning does, and waits for it if it is not
there yet. Text output has the facts that matter; JSON output the known fields, and
the api-version that was agreed upon. --raw prints the document as it came, user data
included, and so needs --reveal.`,
		Example: `  azprov imds instance
  azprov imds instance --output json --timeout 30s
  azprov imds instance --raw --reveal`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "read the instance document"},
		RunE: func(command *cobra.Command, _ []string) error {
			if raw && !a.global.reveal {
				return usagef("add --reveal, or leave out --raw", "--raw prints user data")
			}
			return a.askIMDS(command, func(ctx context.Context, client *imds.Client) error {
				return a.runInstance(ctx, client, raw)
			})
		},
	}
	command.Flags().BoolVar(&raw, "raw", false, "print the document as it came; needs --reveal")
	return command
}

func (a *app) runInstance(ctx context.Context, client *imds.Client, raw bool) error {
	resp, err := client.GetInstance(ctx, nil)
	if err != nil {
		return err
	}
	if raw {
		_, err := fmt.Fprintf(a.out, "%s\n", bytes.TrimSpace(resp.Raw().Reveal()))
		return err
	}
	return a.print(struct {
		imds.Instance
		APIVersion string   `json:"apiVersion"`
		Warnings   []string `json:"warnings,omitempty"`
	}{resp.Instance, resp.APIVersion, resp.Warnings}, func(w io.Writer) {
		printInstance(w, &resp, a.global.reveal)
		printWarnings(w, resp.Warnings)
	})
}

func printInstance(w io.Writer, resp *imds.GetInstanceResponse, reveal bool) {
	c := resp.Compute
	facts := []fact{
		{name: "VM id", value: c.VMID},
		{name: "name", value: c.Name},
		{name: "host name", value: c.HostName()},
		{name: "user", value: c.OSProfile.AdminUsername},
		{name: "password disabled", value: string(c.OSProfile.DisablePasswordAuthentication)},
		{name: "region", value: c.Location},
		{name: "zone", value: c.Zone},
		{name: "size", value: c.VMSize},
		{name: "cloud", value: string(c.AzEnvironment)},
		{name: "image", value: strings.Trim(strings.Join([]string{c.Publisher, c.Offer, c.SKU, c.Version}, ":"), ":")},
		{name: "subscription", value: c.SubscriptionID},
		{name: "resource group", value: c.ResourceGroupName},
	}
	for _, tag := range c.AllTags() {
		facts = append(facts, fact{name: "tag", value: tag.Name + " = " + tag.Value})
	}
	for _, key := range c.PublicKeys {
		line, ok := key.OpenSSH()
		if line = describeKey(line); !ok {
			line = "unusable: no OpenSSH public key"
		}
		facts = append(facts, fact{name: "SSH key", value: line})
	}
	for _, nic := range resp.Network.Interface {
		words := []string{nic.MACAddress}
		for _, addr := range append(nic.IPv4Addresses(), nic.IPv6Addresses()...) {
			words = append(words, addr.String())
		}
		facts = append(facts, fact{name: "interface", value: strings.Join(words, " ")})
	}
	userData, err := c.UserDataBytes()
	userDataText := size(userData)
	if err != nil {
		userDataText = "not base64"
	}
	facts = append(facts,
		fact{name: "user data", value: userDataText},
		fact{name: "has custom data", value: string(resp.Extended.Compute.HasCustomData)},
		fact{name: "pre-provisioning", value: string(resp.Extended.Compute.PPSType)},
		fact{name: "api-version", value: resp.APIVersion},
	)
	printFacts(w, "", facts)
	if reveal {
		printSecret(w, "user data", userData)
	}
}

func (a *app) imdsUserDataCommand() *cobra.Command {
	return &cobra.Command{
		Use: "userdata", Short: "Read the user data",
		Long: `Reads the VM's user data, decoded. Without --reveal only its size is printed; with
--reveal, its bytes and nothing else. A VM without user data is no error.`,
		Example: `  azprov imds userdata
  azprov imds userdata --reveal > user-data`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "read the user data"},
		RunE: func(command *cobra.Command, _ []string) error { return a.askIMDS(command, a.runUserData) },
	}
}

func (a *app) runUserData(ctx context.Context, client *imds.Client) error {
	resp, err := client.GetUserData(ctx, nil)
	if err != nil {
		return err
	}
	document := object{{"size", resp.UserData.Len()}, {"userData", view(resp.UserData, a.global.reveal)}}
	return a.print(document, func(w io.Writer) {
		switch {
		case resp.UserData.IsZero():
			a.remark("The VM has no user data.")
		case a.global.reveal:
			_, _ = w.Write(resp.UserData.Reveal())
		default:
			_, _ = fmt.Fprintln(w, size(resp.UserData))
			a.remark("--reveal prints it.")
		}
	})
}

func (a *app) imdsVersionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "versions", Short: "List the api-versions of the service",
		Long:    "Lists the api-versions that the service says it has, one a line. It may answer others too.",
		Example: "  azprov imds versions",
		Args:    noArguments, Annotations: map[string]string{annotationAction: "read the api-versions"},
		RunE: func(command *cobra.Command, _ []string) error {
			return a.askIMDS(command, func(ctx context.Context, client *imds.Client) error {
				resp, err := client.GetVersions(ctx, nil)
				if err != nil {
					return err
				}
				return a.print(object{{"versions", view(resp.APIVersions, false)}}, func(w io.Writer) {
					for _, version := range resp.APIVersions {
						_, _ = fmt.Fprintln(w, azprov.OneLine(version))
					}
				})
			})
		},
	}
}
