package main

import (
	"context"
	_ "embed"
	"flag"
	"io/fs"
	"os"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// demo is the user data of an emulated VM whose creator gave no other: the scenarios' own is
// for cloud-init.
//
//go:embed demo.ign
var demo []byte

// surroundings are the platform: this machine's, one that was named, or an emulated one.
type surroundings struct {
	scenario     scenarioFlag
	imdsURL      string
	wireURL      string
	mediumDir    string
	device       string
	userData     string
	customData   string
	sysfs        fs.FS
	fabric       *emulator.Fabric
	server       *emulator.Server
	imds         *imds.Client
	wireServer   *wireserver.Client
	emulatedDisc fs.FS
}

// scenarioFlag is --emulate, with or without a name.
type scenarioFlag struct {
	name string
	set  bool
}

func (f *scenarioFlag) String() string { return f.name }

// Set implements flag.Value; flag gives "true" for a flag without a value.
func (f *scenarioFlag) Set(value string) error {
	f.name, f.set = value, true
	if value == "true" {
		f.name = emulator.DefaultScenario
	}
	return nil
}

// IsBoolFlag lets the value be left out.
func (f *scenarioFlag) IsBoolFlag() bool { return true }

func (p *surroundings) register(flags *flag.FlagSet) {
	flags.Var(&p.scenario, "emulate", "emulate the platform of `SCENARIO` in this process, "+emulator.DefaultScenario+" if none is named (azprov emulate --list)")
	flags.StringVar(&p.imdsURL, "imds", "", "the `URL` of IMDS, of azprov emulate for example; with --wireserver")
	flags.StringVar(&p.wireURL, "wireserver", "", "the `URL` of the wire server")
	flags.StringVar(&p.mediumDir, "ovf", "", "the `DIR` where the provisioning medium is mounted; on Azure its disc is looked for")
	flags.StringVar(&p.device, "media", "", "the medium's `DEVICE|IMAGE`, read without mounting it")
	flags.StringVar(&p.userData, "user-data", "", "with --emulate: the VM's user data is this `FILE`; \"scenario\" for the scenario's own, which is for cloud-init")
	flags.StringVar(&p.customData, "custom-data", "", "with --emulate: the VM has this `FILE` as custom data, and no user data")
}

// named: the platform is not this machine's.
func (p *surroundings) named() bool { return p.scenario.set || p.imdsURL != "" }

// open checks the flags together and makes the clients.
func (p *surroundings) open(ctx context.Context) (err error) {
	switch {
	case p.scenario.set && (p.imdsURL != "" || p.wireURL != ""):
		return usagef("--emulate brings services of its own: leave out --imds and --wireserver")
	case (p.imdsURL == "") != (p.wireURL == ""):
		return usagef("--imds and --wireserver belong together: a machine has one platform")
	case !p.scenario.set && (p.userData != "" || p.customData != ""):
		return usagef("--user-data and --custom-data are for --emulate: a real VM has its own")
	case p.mediumDir != "" && p.device != "":
		return usagef("--ovf or --media: a machine has one medium")
	case p.userData != "" && p.customData != "":
		return usagef("--user-data or --custom-data: one of the two is the config")
	}
	if p.scenario.set {
		if err := p.emulate(ctx); err != nil {
			return err
		}
	}
	p.imds, err = imds.NewClient(&imds.ClientOptions{Endpoint: p.imdsURL})
	if err == nil {
		p.wireServer, err = wireserver.NewClient(&wireserver.ClientOptions{Endpoint: p.wireURL})
	}
	return err
}

func (p *surroundings) emulate(ctx context.Context) error {
	scenario, err := emulator.LookupScenario(p.scenario.name)
	if err != nil {
		return usagef("%v", err)
	}
	if err := p.configs(&scenario.VM); err != nil {
		return err
	}
	if p.fabric, err = emulator.NewFabric(scenario, nil); err != nil {
		return err
	}
	if p.server, err = p.fabric.Listen(ctx, emulator.Addresses{}); err != nil {
		return err
	}
	p.imdsURL, p.wireURL, p.sysfs = p.server.IMDSURL(), p.server.WireServerURL(), p.fabric.DMI()
	p.emulatedDisc, _ = p.fabric.Medium()
	return nil
}

// configs gives the emulated VM a config that is Ignition's.
func (p *surroundings) configs(vm *emulator.VM) (err error) {
	config := demo
	name := p.userData + p.customData // one of them is empty
	if name == "scenario" {
		return nil
	}
	if name != "" {
		if config, err = os.ReadFile(name); err != nil {
			return err
		}
	}
	vm.UserData, vm.CustomData = azprov.NewSecret(config), azprov.Secret{}
	if p.customData != "" {
		vm.UserData, vm.CustomData = vm.CustomData, vm.UserData
	}
	return nil
}

func (p *surroundings) close() {
	if p.server != nil {
		_ = p.server.Close()
	}
}

// medium is where the provisioning medium is.
func (p *surroundings) medium() provision.Medium {
	switch {
	case p.mediumDir != "":
		return provision.MediumFS(os.DirFS(p.mediumDir))
	case p.device != "":
		return provision.Disc(&media.Options{Device: p.device})
	case p.emulatedDisc != nil:
		return provision.MediumFS(p.emulatedDisc)
	case p.named():
		return provision.NoMedium()
	}
	return provision.Disc(nil)
}

// readMedium is provider.Options.Medium.
func (p *surroundings) readMedium(ctx context.Context) (*ovf.Environment, error) {
	return p.medium().Read(ctx, func() {})
}

// collector gathers what the platform says of the machine.
func (p *surroundings) collector() (*provision.Provisioner, error) {
	return provision.New(&provision.Options{
		IMDS: p.imds, WireServer: p.wireServer, Medium: p.medium(), AssumeAzure: p.named(), Sysfs: p.sysfs,
		ConfigOrder: provision.UserDataFirst,
	})
}
