package emulator

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

// defaultAuthority stands in the goal state's URLs for a client that sent no Host.
const defaultAuthority = "168.63.129.16:80"

// wireIDs are the ids in the goal state.
type wireIDs struct {
	incarnation int
	containerID string
	deployment  string
	instanceID  string
	instance    string // The part of instanceID after the deployment.
	vmID        azprov.VMID
	former      []string // The containers that the VM has left.
}

// newWireIDs makes the ids of the scenario for vm, its VM or the pool's owner.
func newWireIDs(s Scenario, vm VM) wireIDs {
	ids := wireIDs{
		incarnation: s.WireServer.Incarnation,
		containerID: s.WireServer.ContainerID,
		instanceID:  s.WireServer.InstanceID,
		vmID:        vm.ID,
	}
	if ids.containerID == "" {
		ids.containerID = derivedUUID(ids.vmID, "container").String()
	}
	if ids.instanceID == "" {
		ids.instanceID = derivedUUID(ids.vmID, "deployment").String() + "._" + vm.Name
	}
	ids.deployment, ids.instance, _ = strings.Cut(ids.instanceID, ".")
	return ids
}

// next is what a live migration makes of the ids.
func (w wireIDs) next() wireIDs {
	w.incarnation++
	w.former = append(slices.Clone(w.former), w.containerID)
	w.containerID = derivedUUID(w.vmID, w.containerID+strconv.Itoa(w.incarnation)).String()
	return w
}

// derivedUUID makes a UUID from the VM's id, the same in every run.
func derivedUUID(vmID azprov.VMID, use string) azprov.VMID {
	sum := sha256.Sum256(append(vmID[:], use...))
	return markUUID(azprov.VMID(sum[:len(vmID)]), 8)
}

// goalState is the document for a client that knows the server as host: the URLs
// lead it back to where it came from. Azure writes the port even if it is 80.
func (w wireIDs) goalState(host string) goalstate.GoalState {
	base := "http://" + authority(host) + "/machine/" + escapeSegment(w.containerID, "") + "/" + escapeSegment(w.instanceID, "-_")
	incarnation := strconv.Itoa(w.incarnation)
	config := func(kind string) string {
		return base + "?comp=config&type=" + kind + "&incarnation=" + incarnation
	}
	return goalstate.GoalState{
		Version:                     wireVersion2012,
		Incarnation:                 incarnation,
		ExpectedState:               "Started",
		StopRolesDeadlineHint:       "300000",
		LBProbePorts:                []string{"16001"},
		ExpectHealthReport:          azprov.SwitchOff,
		ContainerID:                 w.containerID,
		InstanceID:                  w.instanceID,
		InstanceState:               "Started",
		HostingEnvironmentConfigURL: config("hostingEnvironmentConfig"),
		SharedConfigURL:             config("sharedConfig"),
		ExtensionsConfigURL:         config("extensionsConfig"),
		FullConfigURL:               config("fullConfig"),
		CertificatesURL:             base + "?comp=certificates&incarnation=" + incarnation,
		ConfigName:                  w.configName(),
	}
}

// configName names the role's configuration; requests for the HostGAPlugin carry it.
func (w wireIDs) configName() string {
	return w.deployment + ".0." + w.deployment + ".0." + w.instance + ".1.xml"
}

// authority is host with a port.
func authority(host string) string {
	switch u, err := url.Parse("http://" + host); {
	case err != nil || u.Host == "" || u.Host != host:
		return defaultAuthority
	case u.Port() == "":
		return strings.TrimSuffix(host, ":") + ":80"
	}
	return host
}

// escapeSegment percent-encodes a path segment, and the characters in more. Azure
// encodes the dash and the underscore of the instance id, which no rule asks for.
func escapeSegment(segment, more string) string {
	escaped := url.PathEscape(segment)
	for _, c := range more {
		escaped = strings.ReplaceAll(escaped, string(c), "%"+strings.ToUpper(strconv.FormatInt(int64(c), 16)))
	}
	return escaped
}

// hostingEnvironment is the short form that Azure sends today.
func (v *vmState) hostingEnvironment() []byte {
	return goalstate.HostingEnvironmentConfig{
		Version:              "1.0.0.0",
		GoalStateIncarnation: strconv.Itoa(v.wire.incarnation),
		StoredCertificates:   v.spec.storedCertificates(),
		Incarnation:          v.roleIncarnation(),
	}.Encode()
}

func (v *vmState) sharedConfig() []byte {
	config := goalstate.SharedConfig{
		Version:              "1.0.0.0",
		GoalStateIncarnation: strconv.Itoa(v.wire.incarnation),
		Incarnation:          v.roleIncarnation(),
	}
	instance := goalstate.Instance{
		ID:           v.wire.instance,
		FaultDomains: goalstate.FaultDomains{RandomID: "0", UpdateID: "0", UpdateCount: "0"},
	}
	if address, ok := v.spec.primaryIPv4(); ok {
		instance.Address = address
	}
	config.Instances = []goalstate.Instance{instance}
	return config.Encode()
}

func (v *vmState) roleIncarnation() goalstate.RoleIncarnation {
	return goalstate.RoleIncarnation{
		Number:   "1",
		Instance: v.wire.instance,
		GUID:     "{" + derivedUUID(v.wire.vmID, "incarnation").String() + "}",
	}
}

// primaryIPv4 returns the first IPv4 address of the primary NIC.
func (vm VM) primaryIPv4() (string, bool) {
	if len(vm.Interfaces) == 0 {
		return "", false
	}
	for _, prefix := range vm.Interfaces[0].Addresses {
		if prefix.Addr().Is4() {
			return prefix.Addr().String(), true
		}
	}
	return "", false
}
