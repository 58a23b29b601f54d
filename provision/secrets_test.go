package provision_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/memlinks"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/kvp"
	"github.com/azprov/azprov/wireserver"
)

// paper is where several goroutines write.
type paper struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// wiretap keeps what goes over the wire: the fabric redacts what it shows of reports. It
// also signs the URLs of the goal state, which the emulator has without a signature.
type wiretap struct {
	client          *http.Client
	sent, got, used paper
}

func (w *wiretap) Do(req *http.Request) (*http.Response, error) {
	const signed = "&sig=" + plantedSig
	req = req.Clone(req.Context())
	if query, found := strings.CutSuffix(req.URL.RawQuery, signed); found {
		req.URL.RawQuery = query
		_, _ = io.WriteString(&w.used, req.URL.Path+"?"+query+"\n")
	}
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		_, _ = w.sent.Write(append(b, '\n'))
		req.Body = io.NopCloser(bytes.NewReader(b))
	}
	_, _ = fmt.Fprintf(&w.sent, "%s %v\n", req.URL, req.Header)
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if strings.Contains(req.URL.RawQuery, "comp=goalstate") {
		for _, end := range []string{"</ExtensionsConfig>", "</Certificates>"} {
			b = bytes.ReplaceAll(b, []byte(end), []byte(strings.ReplaceAll(signed, "&", "&amp;")+end))
		}
		resp.Header.Del("Content-Length")
	}
	_, _ = w.got.Write(append(b, '\n'))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return resp, nil
}

// plantable are the scenarios that differ in where values come from, and when. The others are
// one of these with faults, and so the secrets would go the same ways.
func plantable(t *testing.T) (all []emulator.Scenario) {
	t.Helper()
	for _, name := range []string{
		"linux-vm", "bad-ovf", "custom-data", "fingerprint-keys", "imds-denied", "no-imds", "no-ovf",
		"pps-osdisk", "pps-recovery", "pps-running", "pps-savable", "slow-start", "stack-hub",
		"certificates-moved", "imds-flaky", "migration", "pps-reset",
	} {
		all = append(all, lookup(t, name))
	}
	return all
}

// plant puts the secrets wherever the scenario can have them.
func plant(t *testing.T, s emulator.Scenario) emulator.Scenario {
	t.Helper()
	plantVM := func(vm *emulator.VM) {
		vm.Password = azprov.NewSecret([]byte(plantedPassword))
		vm.CustomData = azprov.NewSecret([]byte(plantedCustomData))
		vm.UserData = azprov.NewSecret([]byte(plantedUserData))
		vm.DisablePasswordAuthentication = azprov.SwitchOff
		vm.Certificates = plantedCertificates(t)
		vm.Tags = append(slices.Clone(vm.Tags), emulator.Tag{Name: "token", Value: plantedTag})
	}
	plantVM(&s.VM)
	if s.Pool.Type != "" {
		plantVM(&s.Pool.Owner)
	}
	if s.Medium.Document.IsZero() {
		return s
	}
	// A document that cannot be read: what is planted is before the place where it ends.
	s.Medium.Document = azprov.Secret{}
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	medium, _ := f.Medium()
	document, err := fs.ReadFile(medium, "ovf-env.xml")
	if err != nil {
		t.Fatal(err)
	}
	end := max(bytes.LastIndex(document, []byte("UserPassword>")), bytes.LastIndex(document, []byte("CustomData>")))
	s.Medium.Document = azprov.NewSecret(document[:end+5])
	return s
}

// misbehave makes the services fail first, in words that have the secrets in them.
func misbehave(s *emulator.Scenario, fault emulator.Fault) {
	s.WireServer.Faults = append([]emulator.Fault{fault}, s.WireServer.Faults...)
	if !s.IMDS.Absent && !fault.Always {
		s.IMDS.Faults = append([]emulator.Fault{fault}, s.IMDS.Faults...)
	}
}

// leakyRun is a run with all that it leaves behind.
type leakyRun struct {
	fabric             *emulator.Fabric
	tap                *wiretap
	options            *provision.Options
	dir                string
	pool               *kvp.Pool
	log, journal, step paper
}

func newLeakyRun(t *testing.T, s emulator.Scenario) *leakyRun {
	t.Helper()
	r := &leakyRun{dir: t.TempDir()}
	memory := emulator.NewMemoryLinks(s)
	path := filepath.Join(r.dir, "kvp_pool_1")
	f, err := emulator.NewFabric(s, &emulator.Options{Links: memory, Journal: &r.journal, KVPPool: path})
	if err != nil {
		t.Fatal(err)
	}
	server := f.ListenInMemory(t.Context())
	t.Cleanup(func() { _ = server.Close() })
	// Stack traces and both encoders: one prints with fmt, the other as JSON.
	logger := zap.New(zapcore.NewTee(
		zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), &syncer{&r.log}, zap.DebugLevel),
		zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), &syncer{&r.log}, zap.DebugLevel),
	), zap.AddStacktrace(zap.WarnLevel))
	r.fabric, r.tap = f, &wiretap{client: server.Client()}
	transport := azcore.ClientOptions{Transport: r.tap}
	i, err := imds.NewClient(&imds.ClientOptions{ClientOptions: transport, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	w, err := wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	r.pool = kvp.Open(&kvp.Options{Path: path, Create: true})
	r.options = &provision.Options{
		IMDS: i, WireServer: w, Sysfs: f.DMI(), StateDir: r.dir, BootID: "boot-1", Logger: logger,
		Host: kvp.Channel(r.pool, &kvp.ChannelOptions{Source: kvp.Source{Boot: time.Unix(1, 0)}}),
		OnStep: func(e provision.StepEvent) {
			_, _ = fmt.Fprintf(&r.step, "%v %+v %#v\n", e, e, e)
		},
	}
	r.options.Pool.Links = memlinks.Links(memory)
	r.options.Pool.Store = pps.FileStore(filepath.Join(r.dir, "pps.json"))
	r.options.Pool.OnState = func(s pps.Transition) { _, _ = fmt.Fprintf(&r.step, "%+v %#v\n", s, s) }
	if !s.Medium.Absent {
		r.options.Medium = provision.Disc(&media.Options{
			System: newCDROM(t, f),
			Cache:  &media.Cache{Path: filepath.Join(r.dir, "medium.json"), VMID: f.VM().ID},
		})
	}
	return r
}

type syncer struct{ io.Writer }

func (syncer) Sync() error { return nil }

// printed is an error as anybody may print it, with every error in its tree: %#v shows of
// those behind a pointer only where they are. azcore's error prints the body of the answer;
// SECURITY.md says so, and that it is reachable and never printed.
func printed(err error) string {
	if _, body := err.(*azcore.ResponseError); body || err == nil { //nolint:errorlint // The tree is walked here.
		return ""
	}
	text := fmt.Sprintf("%v\n%+v\n%#v\n%q\n", err, err, err, err)
	switch e := err.(type) { //nolint:errorlint // The tree is walked here.
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text += printed(inner)
		}
	case interface{ Unwrap() error }:
		text += printed(e.Unwrap())
	}
	return text
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// leavings is all that a run leaves behind, by what it is.
func (r *leakyRun) leavings(t *testing.T, result provision.Result, err error) map[string]string {
	t.Helper()
	_ = r.fabric.CollectKVP(context.WithoutCancel(t.Context()))
	texts := map[string]string{
		"the log":     r.log.String(),
		"the steps":   r.step.String(),
		"the journal": r.journal.String() + asJSON(t, r.fabric.Journal()),
		"requests":    r.tap.sent.String(),
		"the error":   printed(err),
		"the result": asJSON(t, result.Timeline) + asJSON(t, result.Report) + asJSON(t, result.Machine) +
			fmt.Sprintf("%v %+v %#v %+v %#v", result, result, result, result.Report, result.Report),
		"the report's error": printed(result.ReportErr),
		"the fabric": asJSON(t, []any{r.fabric.Reports(), r.fabric.HostReports(), r.fabric.HostEvents()}) +
			fmt.Sprintf("%+v %+v %+v", r.fabric.Reports(), r.fabric.HostReports(), r.fabric.HostEvents()),
		"the pool, decoded": r.decoded(t),
	}
	if m := result.Machine; m != nil {
		texts["the machine"] = fmt.Sprintf("%v %+v %#v %s %q", *m, *m, *m, m.Warnings, m.Warnings)
	}
	for _, s := range result.Timeline {
		texts["the timeline"] += fmt.Sprintf("%+v %#v %s", s, s, printed(s.Err))
	}
	walked := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		texts["the file "+d.Name()] = string(b)
		return err
	})
	if walked != nil {
		t.Error(walked)
	}
	return texts
}

// decoded is the pool's content without its JSON and its slices, across which a secret
// would not be found, and without the base64 of a traceback.
func (r *leakyRun) decoded(t *testing.T) string {
	t.Helper()
	records, err := r.pool.List(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	messages := map[string]string{}
	for _, record := range records {
		all.WriteString(record.Key + "\n" + record.Value + "\n")
		if record.Key == kvp.ReportKey {
			known, _, err := report.Parse(record.Value)
			if err != nil {
				t.Error(err)
			}
			for _, d := range append(known.Supporting, azprov.Detail{Key: "reason", Value: known.Reason}) {
				all.WriteString(d.Key + "=" + d.Value + "\n")
				if b, err := base64.StdEncoding.DecodeString(d.Value); err == nil {
					all.Write(append(b, '\n'))
				}
			}
			continue
		}
		var event struct{ Name, Msg string }
		if err := json.Unmarshal([]byte(record.Value), &event); err != nil {
			t.Error(err)
		}
		all.WriteString(event.Name + "\n")
		key := strings.Join(strings.SplitN(record.Key, "|", 7)[:6], "|")
		messages[key] += event.Msg // the slices are in order
	}
	for _, message := range messages {
		all.WriteString(message + "\n")
	}
	return all.String()
}

// described is a machine in every form that an agent may put into its texts.
func described(m *provision.Machine) string {
	b, _ := json.Marshal(m) // It has no error; the test of merge sees to that.
	return fmt.Sprintf("%v %+v %#v %s password %v %+v %#v %s %q %x custom data %v %d user data %s",
		*m, *m, *m, b, m.User.Password, m.User.Password, m.User.Password, m.User.Password, m.User.Password, m.User.Password,
		m.CustomData, m.Config.Len(), m.UserData)
}

// TestPlantedSecretsAppearNowhere runs every scenario with secrets in all that comes in,
// well and badly, and looks for them in all that goes out.
func TestPlantedSecretsAppearNowhere(t *testing.T) {
	t.Parallel()
	all := needles(plantedSecrets(t))
	blurted := strings.Join([]string{plantedPassword, plantedCustomData, plantedUserData, plantedTag, plantedSAS}, "\n")
	fault := emulator.Fault{Status: http.StatusInternalServerError, Times: 4, Body: &blurted}
	refusal := emulator.Fault{Path: "comp=health", Status: http.StatusUnauthorized, Always: true, Body: &blurted}
	withheld := emulator.Fault{Path: "comp=certificates", Status: http.StatusInternalServerError, Always: true, Body: &blurted}
	elsewhere := emulator.Fault{
		Status: http.StatusTemporaryRedirect, Always: true, Body: &blurted,
		Headers: map[string]string{"Location": "http://168.63.129.16/machine?sig=" + url.QueryEscape(plantedPassword)},
	}
	garbled := "<GoalState><Version>" + blurted + `{"compute": {"userData": "` + plantedSAS + `", "tags": "` + plantedPassword
	nonsense := emulator.Fault{Status: http.StatusOK, Times: 3, Body: &garbled}
	for _, row := range []struct {
		name  string
		fault *emulator.Fault
		apply func(*provision.Machine) error
		// cut: it may end before there is a machine. Without its reports a VM of a pool never
		// gets its owner.
		cut bool
	}{
		{"success", nil, func(*provision.Machine) error { return nil }, false},
		{"an error", nil, func(m *provision.Machine) error {
			return fmt.Errorf("useradd: %s: %w", described(m), errors.New(described(m)))
		}, false},
		{"an error with details", nil, func(m *provision.Machine) error {
			return &azprov.Error{
				Op: "useradd", Kind: azprov.KindInternal, Message: described(m), Reason: "no berth for " + described(m),
				Details: []azprov.Detail{{Key: "machine", Value: described(m)}}, Last: errors.New(described(m)),
			}
		}, false},
		{"a panic", nil, func(m *provision.Machine) error { panic(*m) }, false},
		{"a panic with an error", nil, func(m *provision.Machine) error { panic(errors.New(described(m))) }, false},
		{"faults", &fault, func(*provision.Machine) error { return nil }, false},
		{"certificates withheld", &withheld, func(*provision.Machine) error { return nil }, false},
		{"garbled answers", &nonsense, func(*provision.Machine) error { return nil }, true},
		{"reports refused", &refusal, func(*provision.Machine) error { return nil }, true},
		{"sent elsewhere", &elsewhere, func(m *provision.Machine) error { return errors.New(described(m)) }, true},
	} {
		for _, s := range plantable(t) {
			t.Run(row.name+"/"+s.Name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := plant(t, s)
					if row.fault != nil {
						misbehave(&s, *row.fault)
					}
					r := newLeakyRun(t, s)
					applied := false
					r.options.Apply = func(_ context.Context, m *provision.Machine) error {
						applied = true
						delivered(t, s, m)
						r.options.Logger.Error("applying", zap.Any("machine", m), zap.Reflect("password", m.User.Password), zap.Stringer("customData", m.CustomData))
						return row.apply(m)
					}
					// The owner of a disk never comes, however long the VM waits.
					ctx, cancel := context.WithTimeout(t.Context(), 365*24*time.Hour)
					defer cancel()
					result, err := provision.Run(ctx, r.options)
					never := slices.Contains([]string{"bad-ovf", "imds-denied", "pps-osdisk"}, s.Name)
					if applied == never && !row.cut {
						t.Errorf("applied: %t, %v", applied, err)
					}
					r.planted(t, s, row.fault, row.cut)
					for _, leak := range leaks(r.leavings(t, result, err), all) {
						t.Error(leak)
					}
					// The emulator redacts what it shows, and says so.
					for _, verdict := range violations(r.fabric) {
						if strings.Contains(verdict, "secret") {
							t.Error(verdict)
						}
					}
				})
			})
		}
	}
}

// delivered: a test that plants nothing finds nothing.
func delivered(t *testing.T, s emulator.Scenario, m *provision.Machine) {
	t.Helper()
	if got := m.User.Password.RevealString(); got != plantedPassword && !s.Medium.Absent {
		t.Errorf("the password is %q", got)
	}
	if got := m.CustomData.Reveal(); string(got) != plantedCustomData && !s.Medium.Absent {
		t.Errorf("the custom data is %q", got)
	}
	// Stack Hub's IMDS is too old for user data.
	if got := m.UserData.Reveal(); string(got) != plantedUserData && !s.IMDS.Absent && s.Name != "stack-hub" {
		t.Errorf("the user data is %q", got)
	}
	if m.Config.Len() == 0 && s.Name != "stack-hub" {
		t.Error("there is no config")
	}
}

// planted: what does not come to the machine came over the wire.
func (r *leakyRun) planted(t *testing.T, s emulator.Scenario, fault *emulator.Fault, cut bool) {
	t.Helper()
	got := r.tap.got.String()
	if s.Name != "bad-ovf" && s.Name != "imds-denied" && !s.IMDS.Absent && !strings.Contains(got, plantedTag) {
		t.Error("IMDS told of no tag with a token")
	}
	// Only there are keys named by fingerprints, which is why the private key is fetched.
	asks := s.Name == "fingerprint-keys" || s.Name == "certificates-moved"
	if fault != nil && (asks || fault.Path != "comp=certificates") && !strings.Contains(got, plantedPassword) {
		t.Error("no fault had the password")
	}
	if cut {
		return
	}
	if !strings.Contains(got, "sig="+plantedSig) {
		t.Error("no URL of the goal state was signed")
	}
	if asks && !strings.Contains(r.tap.used.String(), "comp=certificates") {
		t.Error("no signed URL was used, and so no private key was read")
	}
}

// TestPlantedSecretsAreFound: the search finds a secret that Apply gives away, wherever an
// error goes. The fabric alone redacts it.
func TestPlantedSecretsAreFound(t *testing.T) {
	t.Parallel()
	all := needles(plantedSecrets(t))
	synctest.Test(t, func(t *testing.T) {
		r := newLeakyRun(t, plant(t, lookup(t, "custom-data")))
		r.options.Apply = func(_ context.Context, m *provision.Machine) error {
			return errors.New(strings.Repeat("fog ", 300) + "passwd: " + m.User.Password.RevealString())
		}
		result, err := provision.Run(t.Context(), r.options)
		found := leaks(r.leavings(t, result, err), all)
		for _, place := range []string{"the log", "the steps", "the error", "the result", "the timeline", "requests", "the pool, decoded", "the file kvp_pool_1"} {
			if !slices.ContainsFunc(found, func(leak string) bool { return strings.HasPrefix(leak, place+": password") }) {
				t.Errorf("%s has the password, and it was not found", place)
			}
		}
		if !strings.Contains(strings.Join(violations(r.fabric), "\n"), "secret") {
			t.Errorf("verdicts %q", violations(r.fabric))
		}
	})
}
