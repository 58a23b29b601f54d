package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov/wireserver"
)

func (a *app) wireServerCommand() *cobra.Command {
	var root, option string
	discover := &cobra.Command{
		Use: "discover", Short: "Tell where the wire server is",
		Long: `Tells where the wire server is, and what says so: --wireserver, --option-245, a route of
the kernel, a lease of the system's DHCP client, or nothing, and then it is the public
address. On public Azure it always is; fabrics like Azure Stack Hub may have another. It
reads files only, asks nobody, and can be tried on any machine. The URL is for
--wireserver of other verbs.`,
		Example: `  azprov wireserver discover
  azprov wireserver discover --option-245 0a:3e:90:8c
  azprov wireserver discover --root /sysroot --output json`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "find the wire server"},
		RunE: func(command *cobra.Command, _ []string) error { return a.runDiscover(command, root, option) },
	}
	discover.Flags().StringVar(&root, "root", "/", "`DIR` that is the root directory of the system")
	discover.Flags().StringVar(&option, "option-245", "", "`VALUE` of DHCP option 245, as a DHCP client shows it")
	return groupCommand("wireserver", "Find the wire server",
		"Finds the wire server. What it has to say is read by goalstate and certs.", discover)
}

func (a *app) runDiscover(command *cobra.Command, root, option string) error {
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return usagef("", "--root %s is no directory", root)
	}
	ctx, cancel := a.context(command.Context())
	defer cancel()
	resp, err := wireserver.Discover(ctx, &wireserver.DiscoverOptions{
		Endpoint: a.global.wireServer.value, Option245: []byte(option), Root: os.DirFS(root),
	})
	if err != nil {
		return err
	}
	return a.print(resp, func(w io.Writer) {
		facts := []fact{{name: "URL", value: resp.URL}, {name: "source", value: string(resp.Source)}}
		if resp.File != "" {
			facts = append(facts, fact{name: "file", value: resp.File}, fact{name: "interface", value: resp.Interface})
		}
		printFacts(w, "", facts)
		printWarnings(w, resp.Warnings)
	})
}
