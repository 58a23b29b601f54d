package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
)

// config has the keys of azure-init's own configuration, libazureinit/src/config.rs, and
// [custom_data] and user_provisioners.groups.
type config struct {
	SSH struct {
		AuthorizedKeysPath                  string `toml:"authorized_keys_path"`
		QuerySSHDConfig                     bool   `toml:"query_sshd_config"`
		ConfigureSSHDPasswordAuthentication bool   `toml:"configure_sshd_password_authentication"`
	} `toml:"ssh"`
	HostNames backends `toml:"hostname_provisioners"`
	Users     struct {
		backends

		Groups []string `toml:"groups"`
	} `toml:"user_provisioners"`
	Passwords backends `toml:"password_provisioners"`
	IMDS      struct {
		Connect seconds `toml:"connection_timeout_secs"`
		Request seconds `toml:"request_timeout_secs"`
		Pause   seconds `toml:"retry_interval_secs"`
		Total   seconds `toml:"total_retry_timeout_secs"`
	} `toml:"imds"`
	Media      enabled `toml:"provisioning_media"`
	ProxyAgent enabled `toml:"azure_proxy_agent"`
	WireServer struct {
		Connect  seconds `toml:"connection_timeout_secs"`
		Read     seconds `toml:"read_timeout_secs"`
		Total    seconds `toml:"total_retry_timeout_secs"`
		Endpoint string  `toml:"health_endpoint"`
	} `toml:"wireserver"`
	Telemetry struct {
		KVPDiagnostics bool   `toml:"kvp_diagnostics"`
		KVPFilter      string `toml:"kvp_filter"`
	} `toml:"telemetry"`
	DataDir    dirPath `toml:"azure_init_data_dir"`
	LogPath    dirPath `toml:"azure_init_log_path"`
	CustomData struct {
		Action string `toml:"action"`
	} `toml:"custom_data"`

	// origins has the file of each key that is not as the defaults have it.
	origins map[string]string
}

type (
	backends struct {
		Backends []string `toml:"backends"`
	}
	enabled struct {
		Enable bool `toml:"enable"`
	}
	dirPath struct {
		Path string `toml:"path"`
	}
	seconds float64
)

func (s seconds) duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// healthPath ends wireserver.health_endpoint.
const healthPath = "/provisioning/health"

// What is done with custom data.
const (
	actionSave    = "save"
	actionExecute = "execute"
	actionWarn    = "warn"
)

func defaultConfig() *config {
	c := &config{origins: map[string]string{}}
	c.SSH.AuthorizedKeysPath, c.SSH.QuerySSHDConfig, c.SSH.ConfigureSSHDPasswordAuthentication = defaultKeys, true, true
	c.HostNames.Backends, c.Users.Backends, c.Passwords.Backends = []string{"hostnamectl"}, []string{"useradd"}, []string{"passwd"}
	c.Users.Groups = []string{}
	c.IMDS.Connect, c.IMDS.Request, c.IMDS.Pause, c.IMDS.Total = 30, 60, 2, 300
	c.Media.Enable, c.ProxyAgent.Enable, c.Telemetry.KVPDiagnostics = true, true, true
	c.WireServer.Connect, c.WireServer.Read, c.WireServer.Total = 60, 60, 1200
	c.WireServer.Endpoint = azprov.WireServerEndpoint + healthPath
	c.DataDir.Path, c.LogPath.Path = "/var/lib/azure-init/", "/var/log/azure-init.log"
	c.CustomData.Action = actionSave
	return c
}

// loadConfig reads the system's files and what --config names, in the original's order: what
// comes later wins, key by key.
func loadConfig(system fs.FS, named string) (*config, error) {
	c := defaultConfig()
	err := c.loadFile(system, "etc/azure-init.toml", "/etc/azure-init.toml")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = c.loadDir(system, "etc/azure-init.d", "/etc/azure-init.d")
	}
	if err == nil && named != "" {
		info, statErr := os.Stat(named)
		switch {
		case statErr != nil:
			err = configError(named, "cannot be read", statErr)
		case info.IsDir():
			err = c.loadDir(os.DirFS(named), ".", named)
		default:
			err = c.loadFile(os.DirFS(filepath.Dir(named)), filepath.Base(named), named)
		}
	}
	if err == nil {
		err = c.check()
	}
	return c, err
}

func (c *config) loadDir(files fs.FS, dir, shown string) error {
	names, err := fs.Glob(files, filepath.ToSlash(filepath.Join(dir, "*.toml"))) // sorted
	for _, name := range names {
		err = errors.Join(err, c.loadFile(files, name, filepath.Join(shown, filepath.Base(name))))
	}
	return err
}

// loadFile lays a file over what is known.
func (c *config) loadFile(files fs.FS, name, shown string) error {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return configError(shown, "cannot be read", err)
	}
	metadata, err := toml.Decode(string(b), c)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return configError(fmt.Sprintf("%s:%d", shown, parse.Position.Line), azprov.OneLine(parse.Message), nil)
	}
	if err != nil {
		return configError(shown, azprov.OneLine(err.Error()), nil)
	}
	known := knownKeys()
	for _, key := range metadata.Keys() {
		if !slices.Contains(known, key.String()) {
			err := configError(shown, "unknown key "+key.String(), nil)
			err.Hint = hintFor(key, known)
			return err
		}
		c.origins[key.String()] = shown
	}
	return nil
}

// opConfig is the operation of the errors that exit code 78 is for.
const opConfig = "read the configuration"

func configError(target, message string, last error) *azprov.Error {
	return &azprov.Error{
		Op: opConfig, Target: target, Kind: azprov.KindMalformed, Message: message, Last: last,
		Reason: reasonUnhandled, Details: []azprov.Detail{{Key: "error", Value: target + ": " + message}},
	}
}

// knownKeys are all keys and tables with their dots.
func knownKeys() []string {
	var text bytes.Buffer
	var all map[string]any
	_ = toml.NewEncoder(&text).Encode(defaultConfig())
	metadata, _ := toml.Decode(text.String(), &all) // It is our own.
	known := make([]string, 0, len(metadata.Keys()))
	for _, key := range metadata.Keys() {
		known = append(known, key.String())
	}
	return known
}

// hintFor says what may have been meant by an unknown key: another one of its table, another
// table, or the table where the key belongs.
func hintFor(key toml.Key, known []string) string {
	last := key[len(key)-1]
	candidates := []string{}
	prefix := strings.TrimSuffix(key.String(), last)
	for _, k := range known {
		rest, ok := strings.CutPrefix(k, prefix)
		if ok && !strings.Contains(rest, ".") {
			candidates = append(candidates, rest)
		}
		if strings.HasSuffix(k, "."+last) && len(key) < 3 {
			return "did you mean " + last + " of [" + strings.TrimSuffix(k, "."+last) + "]?"
		}
	}
	if word := nearest.Word(last, candidates); word != "" {
		return "did you mean " + prefix + word + "?"
	}
	return "azure-init --print-effective-config shows all keys"
}

// check looks at the values.
func (c *config) check() error {
	for key, b := range map[string]struct{ given, known []string }{
		"hostname_provisioners.backends": {c.HostNames.Backends, hostNameBackends},
		"user_provisioners.backends":     {c.Users.Backends, userBackends},
		"password_provisioners.backends": {c.Passwords.Backends, passwordBackends},
		"custom_data.action":             {[]string{c.CustomData.Action}, []string{actionSave, actionExecute, actionWarn}},
	} {
		for _, word := range b.given {
			if !slices.Contains(b.known, word) {
				return c.refuse(key, fmt.Sprintf("%q is none of %s", word, strings.Join(b.known, ", ")))
			}
		}
		if len(b.given) == 0 {
			return c.refuse(key, "names none of "+strings.Join(b.known, ", "))
		}
	}
	for key, s := range map[string]seconds{
		"imds.connection_timeout_secs": c.IMDS.Connect, "imds.request_timeout_secs": c.IMDS.Request,
		"imds.retry_interval_secs": c.IMDS.Pause, "imds.total_retry_timeout_secs": c.IMDS.Total,
		"wireserver.connection_timeout_secs": c.WireServer.Connect, "wireserver.read_timeout_secs": c.WireServer.Read,
		"wireserver.total_retry_timeout_secs": c.WireServer.Total,
	} {
		if !(s > 0 && s < math.MaxInt32) { // NaN is neither
			return c.refuse(key, "must be a number of seconds above 0")
		}
	}
	for key, name := range map[string]string{"azure_init_data_dir.path": c.DataDir.Path, "azure_init_log_path.path": c.LogPath.Path} {
		if !strings.HasPrefix(name, "/") || strings.Trim(name, "/.") == "" {
			return c.refuse(key, "must be an absolute path")
		}
	}
	u, err := url.Parse(c.WireServer.Endpoint)
	if err != nil || u.Path != healthPath || u.RawQuery != "" {
		return c.refuse("wireserver.health_endpoint", "must be a URL that ends in "+healthPath)
	}
	return nil
}

func (c *config) refuse(key, message string) error {
	return configError(cmp.Or(c.origins[key], "the defaults"), key+" "+message, nil)
}

// String is the configuration in TOML, with the file that each value is from.
func (c *config) String() string {
	var text bytes.Buffer
	encoder := toml.NewEncoder(&text)
	encoder.Indent = ""
	if err := encoder.Encode(c); err != nil {
		return err.Error()
	}
	var out strings.Builder
	files := slices.Sorted(maps.Values(c.origins))
	out.WriteString("# files: " + cmp.Or(strings.Join(slices.Compact(files), ", "), "none, all is as built in") + "\n\n")
	table := ""
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "["); ok {
			table = strings.TrimSuffix(name, "]")
		}
		key, _, _ := strings.Cut(line, " = ")
		if file := c.origins[table+"."+key]; file != "" {
			line += " # " + file
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}
