package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/wireserver"
)

// agentName says who reports. It is not the original's name: this is another program.
const agentName = "azure-init-go/" + azprov.Version

// provision is the whole course, once per VM.
func (a *app) provision(ctx context.Context) error {
	if a.flags.printName {
		_, err := fmt.Fprintln(a.out, "azure-init", azprov.Version)
		return err
	}
	s, err := a.open()
	if a.flags.printConfig {
		if err == nil {
			_, err = fmt.Fprint(a.out, s.config)
		}
		return err
	}
	if s == nil {
		return err
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	p, platformErr := a.newPlatform(ctx, s)
	if platformErr != nil {
		return platformErr
	}
	defer p.close()
	if err != nil {
		return errors.Join(err, p.reportFailure(ctx, err))
	}
	if file := s.provisioned(p.vmID()); file != "" {
		_, err := fmt.Fprintf(a.out, "done before: %s is there; azure-init clean removes it\n", file)
		return err
	}
	if err := p.logTo(s); err != nil {
		return err
	}
	p.options.Apply = s.apply
	result, err := provision.Run(ctx, p.options)
	if result.Machine != nil {
		for _, warning := range result.Machine.Warnings {
			fmt.Fprintln(a.err, "warning:", warning)
		}
	}
	if result.ReportErr != nil {
		fmt.Fprintln(a.err, "warning: the report was not accepted:", azprov.OneLine(result.ReportErr.Error()))
	}
	if err != nil {
		told := "the platform was not told"
		if result.Report.State == provision.ReportFailed {
			told = "the platform was told"
		}
		fmt.Fprintln(a.out, "failed;", told)
		return err
	}
	fmt.Fprintln(a.out, "Ready, the platform was told")
	return s.markProvisioned(result.Machine.VMID)
}

// step is a verb: one step, for what the command line says or the platform.
func (a *app) step(ctx context.Context, step step, args []string) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	m := &provision.Machine{}
	if len(args) == 1 {
		if a.flags.emulate != "" {
			return usagef("leave out one of them", "--emulate, and %s on the command line", args[0])
		}
		if err := step.given(m, args[0], a.readText); err != nil {
			return err
		}
		return s.do(ctx, step, m)
	}
	p, err := a.newPlatform(ctx, s)
	if err != nil {
		return err
	}
	defer p.close()
	provisioner, err := provision.New(p.options)
	if err != nil {
		return err
	}
	if m, err = provisioner.Collect(ctx); err != nil {
		return err
	}
	return s.do(ctx, step, m)
}

// report tells the platform an outcome, for programs that do the rest.
func (a *app) report(ctx context.Context, outcome provision.Outcome) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	p, err := a.newPlatform(ctx, s)
	if err != nil {
		return err
	}
	defer p.close()
	provisioner, err := provision.New(p.options)
	if err != nil {
		return err
	}
	result, err := provisioner.Report(ctx, outcome)
	if err == nil {
		fmt.Fprintf(a.out, "%s, the platform was told\n", result.State)
	}
	return err
}

// within bounds ctx by --timeout.
func (a *app) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.flags.timeout > 0 {
		return context.WithTimeout(ctx, a.flags.timeout)
	}
	return context.WithCancel(ctx)
}

// platform is who is asked and told.
type platform struct {
	options *provision.Options
	sysfs   fs.FS
	stderr  zapcore.Core
	closers []func()
}

func (p *platform) close() {
	for _, c := range p.closers {
		c()
	}
}

// newPlatform makes the SDK's options of flags and configuration. An emulated platform runs
// until close.
func (a *app) newPlatform(ctx context.Context, s *setup) (*platform, error) {
	c := s.config
	named := a.flags.imds != "" || a.flags.wireServer != ""
	switch {
	case a.flags.emulate != "" && named:
		return nil, usagef("leave out --emulate, or --imds and --wireserver", "--emulate brings services of its own")
	case a.flags.emulate != "" && a.flags.root == "":
		return nil, usagef(`--root "$(mktemp -d)" sets up an empty directory`, "--emulate needs --root: this machine is not an emulated VM")
	}
	p := &platform{sysfs: os.DirFS(a.flags.dmi), stderr: a.stderrCore()}
	o := &provision.Options{
		AssumeAzure: named, AgentName: agentName, HealthFormat: wireserver.HealthFormatJSON, Dialect: report.DialectAzureInit,
		Logger: zap.New(p.stderr),
	}
	p.options = o
	if !c.Telemetry.KVPDiagnostics {
		o.Host = provision.NoHost()
	}
	if named {
		o.StateDir = provision.NoStateDir // What another platform was told does not bind this machine.
	}
	var err error
	if o.Medium, err = a.medium(c, named); err != nil {
		return nil, err
	}
	o.Pool.Store = pps.FileStore(filepath.Join(a.rootDir(), filepath.FromSlash(c.DataDir.Path), "pps.json"))
	o.Pool.OnState = func(t pps.Transition) { s.say("preprovision", string(t.To)) }
	if !named {
		o.Pool.Links = pps.SystemLinks()
	}
	if err := s.tree.mkdir(s.dataDir(), 0o755, owner{}); err != nil {
		return nil, err
	}
	imdsURL, wireServerURL := a.flags.imds, a.flags.wireServer
	if wireServerURL == "" {
		wireServerURL = strings.TrimSuffix(c.WireServer.Endpoint, healthPath)
	}
	if a.flags.emulate != "" {
		if imdsURL, wireServerURL, err = a.emulate(ctx, p); err != nil {
			return nil, err
		}
	}
	if o.AssumeAzure || a.flags.dmi != "/sys" {
		o.Sysfs = p.sysfs
	}
	if c.ProxyAgent.Enable && !s.rooted {
		o.ProxyAgent = func(ctx context.Context) error { return waitForProxyAgent(ctx, s.run) }
	}
	return p, p.clients(c, imdsURL, wireServerURL)
}

// clients are those of the SDK, with the configuration's times.
func (p *platform) clients(c *config, imdsURL, wireServerURL string) (err error) {
	o := p.options
	if o.IMDS, err = imds.NewClient(&imds.ClientOptions{
		Endpoint: imdsURL, Logger: o.Logger, Budget: c.IMDS.Total.duration(), WaitForProxyAgent: o.ProxyAgent,
		ClientOptions: azcore.ClientOptions{Transport: transport(c.IMDS.Connect), Retry: policy.RetryOptions{
			TryTimeout: c.IMDS.Request.duration(), RetryDelay: c.IMDS.Pause.duration(), MaxRetryDelay: c.IMDS.Pause.duration(),
		}},
	}); err != nil {
		return err
	}
	o.WireServer, err = wireserver.NewClient(&wireserver.ClientOptions{
		Endpoint: wireServerURL, AgentName: agentName, Logger: o.Logger, Budget: c.WireServer.Total.duration(), WaitForProxyAgent: o.ProxyAgent,
		ClientOptions: azcore.ClientOptions{
			Transport: transport(c.WireServer.Connect), Retry: policy.RetryOptions{TryTimeout: c.WireServer.Read.duration()},
		},
	})
	return err
}

func transport(connect seconds) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: connect.duration()}).DialContext}}
}

// medium is the disc that is found, or what --media names.
func (a *app) medium(c *config, named bool) (provision.Medium, error) {
	info, err := os.Stat(a.flags.media)
	switch {
	case a.flags.media == "" && (named || !c.Media.Enable):
		return provision.NoMedium(), nil
	case a.flags.media == "":
		return provision.Disc(nil), nil
	case err != nil:
		return nil, usagef("", "--media: %v", err)
	case info.IsDir():
		return provision.MediumFS(os.DirFS(a.flags.media)), nil
	default:
		return provision.Disc(&media.Options{Device: a.flags.media}), nil
	}
}

// waitForProxyAgent asks the guest proxy agent, which signs requests to the platform, to say
// when it is ready, as cloud-init does.
func waitForProxyAgent(ctx context.Context, run runner) error {
	_, err := run(ctx, "", "azure-proxy-agent", "--status", "--wait", "120")
	if err == nil {
		return nil
	}
	return &azprov.Error{
		Op: "azure-proxy-agent", Kind: azprov.KindUnauthenticated, Message: "the guest proxy agent is not ready", Last: err,
		Reason: "azure-proxy-agent status failure", Details: []azprov.Detail{{Key: "error", Value: azprov.OneLine(err.Error())}},
	}
}

// vmID is the machine's; zero if the firmware does not say.
func (p *platform) vmID() azprov.VMID {
	dmi, err := azprov.ReadDMI(p.sysfs)
	if err != nil {
		return azprov.VMID{}
	}
	id, _ := dmi.VMID()
	return id
}

// reportFailure is for what fails before the course begins. A machine that is none of
// Azure's has nobody to tell.
func (p *platform) reportFailure(ctx context.Context, failure error) error {
	if dmi, _ := azprov.ReadDMI(p.sysfs); !p.options.AssumeAzure && !dmi.OnAzure() {
		return nil
	}
	provisioner, err := provision.New(p.options)
	if err != nil {
		return err
	}
	return provisioner.Reporter().ReportFailure(ctx, failure)
}

// stderrCore logs for people, what AZURE_INIT_LOG says, errors if it says nothing.
func (a *app) stderrCore() zapcore.Core {
	level, err := zapcore.ParseLevel(a.getenv("AZURE_INIT_LOG"))
	if err != nil || a.getenv("AZURE_INIT_LOG") == "" {
		level = zapcore.ErrorLevel
	}
	encoding := zap.NewDevelopmentEncoderConfig()
	return zapcore.NewCore(zapcore.NewConsoleEncoder(encoding), zapcore.AddSync(a.err), level)
}

// logTo adds the log file, which has a line of JSON for each event. It is opened when there
// is something to do: a boot that has nothing to do changes no file.
func (p *platform) logTo(s *setup) error {
	name := strings.TrimPrefix(path.Clean(s.config.LogPath.Path), "/")
	if err := s.tree.mkdir(path.Dir(name), 0o755, owner{}); err != nil {
		return err
	}
	f, err := s.tree.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func() { _ = f.Close() })
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	logger := zap.New(zapcore.NewTee(p.stderr, zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.Lock(f), zapcore.InfoLevel)))
	say := s.say
	s.say = func(verb, note string) {
		say(verb, note)
		logger.Info(verb, zap.String("note", note))
	}
	p.options.Logger = logger
	p.options.OnStep = func(e provision.StepEvent) {
		if e.Done {
			logger.Info("step", zap.String("name", string(e.Step.Name)), zap.Duration("took", e.Step.Duration.Round(time.Microsecond)), zap.Error(e.Step.Err))
		}
	}
	return nil
}
