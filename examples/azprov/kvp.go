package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov/report/kvp"
)

// kvpFlags are those of the verbs on a pool.
type kvpFlags struct {
	pool      poolFile
	keyPrefix string
	create    bool
	append    bool
	ifStale   bool
}

// poolFile is a flag for a pool; one that is empty would be the default.
type poolFile struct{ value string }

func (p *poolFile) String() string { return p.value }
func (p *poolFile) Type() string   { return "FILE" }

// Set takes what is not empty, as a shell variable may be.
func (p *poolFile) Set(s string) error {
	if s == "" {
		return usagef("", "want a file")
	}
	p.value = s
	return nil
}

func (a *app) kvpCommand() *cobra.Command {
	f := &kvpFlags{pool: poolFile{kvp.DefaultPath}}
	group := groupCommand("kvp", "List, read or write what the host is told over Hyper-V KVP",
		`A pool is a file of key-value pairs that hv_kvp_daemon hands to the host, with or without a
network. cloud-init, azure-init and azprov write the provisioning report and events to it.
Every verb takes the locks that they and the daemon respect. Root is needed only where the
file says so.`,
		a.kvpListCommand(f), a.kvpGetCommand(f), a.kvpWriteCommand(f), a.kvpDeleteCommand(f), a.kvpClearCommand(f))
	group.PersistentFlags().Var(&f.pool, "pool", "the pool's `FILE`")
	return group
}

func (a *app) kvpListCommand(f *kvpFlags) *cobra.Command {
	command := &cobra.Command{
		Use: "list", Short: "List the records of the pool",
		Long: `Lists the records in the file's order, one a line: what it is (report, event or other), key
and value. Of several with one key the last counts. Of an event's value the time, the result
and the message are shown. On a terminal lines are cut to its width, and ids left out of the
keys of events. --output json has whole keys and values. What killed writers have left, the
begin of a record or one without a key, is left out.`,
		Example: `  sudo azprov kvp list
  azprov kvp list --pool ./kvp_pool_1 --key-prefix CLOUD_INIT
  sudo azprov kvp list --output json`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "list the records"},
		RunE: func(command *cobra.Command, _ []string) error { return a.runKVPList(command.Context(), f) },
	}
	command.Flags().StringVar(&f.keyPrefix, "key-prefix", "", "list only the keys that begin with this `TEXT`")
	return command
}

func (a *app) kvpGetCommand(f *kvpFlags) *cobra.Command {
	return &cobra.Command{
		Use: "get KEY", Short: "Print the value of a key",
		Long: `Prints the value of the last record with that key, and a line end. Control characters other
than tabs and line ends are replaced; --output json has them.`,
		Example: `  sudo azprov kvp get PROVISIONING_REPORT
  sudo azprov kvp get PROVISIONING_REPORT | azprov explain -`,
		Args: oneArgument("KEY"), Annotations: map[string]string{annotationAction: "get the value"},
		RunE: func(command *cobra.Command, args []string) error {
			return a.runKVPGet(command.Context(), f, args[0])
		},
	}
}

func (a *app) kvpWriteCommand(f *kvpFlags) *cobra.Command {
	command := &cobra.Command{
		Use: "write KEY VALUE", Short: "Write a record",
		Long: `Makes VALUE the only one of KEY, or adds a record with --append. VALUE may be - for standard
input, without its last line end. The host takes ` + strconv.Itoa(kvp.MaxKey) + ` bytes of a key and ` + strconv.Itoa(kvp.MaxValue) + ` of a value, in UTF-8;
--append adds to at most ` + strconv.Itoa(kvp.MaxRecords) + ` records. Put no secret into it.

A pool that an image has brought along has its maker's records: remove them first, by
"azprov kvp clear --if-stale", since afterwards the file is as new as what was written.

To report how provisioning went, use "azprov report": it tells the platform one outcome per
boot. Who writes ` + kvp.ReportKey + ` here may contradict it.`,
		Example: `  sudo azprov kvp write HARBOUR_STATE moored
  dmesg | tail -n 5 | sudo azprov kvp write HARBOUR_LOG - --append`,
		Args: keyAndValue, Annotations: map[string]string{annotationAction: "write the record"},
		RunE: func(command *cobra.Command, args []string) error {
			return a.runKVPWrite(command.Context(), f, args[0], args[1])
		},
	}
	command.Flags().BoolVar(&f.append, "append", false, "add a record, and leave others with that key")
	command.Flags().BoolVar(&f.create, "create", false, "make the file and its directory if they are not there")
	return command
}

func (a *app) kvpDeleteCommand(f *kvpFlags) *cobra.Command {
	return &cobra.Command{
		Use: "delete KEY", Short: "Remove all records of a key",
		Long:    "Removes all records with that key; the others keep their order.",
		Example: `  sudo azprov kvp delete HARBOUR_STATE`,
		Args:    oneArgument("KEY"), Annotations: map[string]string{annotationAction: "delete the records"},
		RunE: func(command *cobra.Command, args []string) error {
			return a.runKVPDelete(command.Context(), f, args[0])
		},
	}
}

func (a *app) kvpClearCommand(f *kvpFlags) *cobra.Command {
	command := &cobra.Command{
		Use: "clear", Short: "Remove all records",
		Long: `Removes all records, whoever has written them. With --if-stale only those of a file that was
last written before this boot, because the image was made with them: the host would take
them for this VM's. The boot is what /proc/stat says, so --if-stale needs Linux.`,
		Example: `  sudo azprov kvp clear --if-stale
  azprov kvp clear --pool ./kvp_pool_1`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "clear the pool"},
		RunE: func(command *cobra.Command, _ []string) error { return a.runKVPClear(command.Context(), f) },
	}
	command.Flags().BoolVar(&f.ifStale, "if-stale", false, "only if it was last written before this boot")
	return command
}

// keyAndValue wants both; the value may be empty.
func keyAndValue(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return usagef("", "the argument KEY is missing")
	case len(args) == 1:
		return usagef("write - to read it from standard input", "the argument VALUE is missing")
	case len(args) > 2:
		return usagef("put a value with blanks into quotes", "stray argument %q", args[2])
	default:
		return nil
	}
}
