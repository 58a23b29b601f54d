package goalstate

import (
	"slices"
	"strings"

	"github.com/azprov/azprov"
)

// GoalState is the answer to "?comp=goalstate": which container and role instance
// the VM is, and where its configurations are. Everything but ExpectHealthReport
// is text as the platform gave it, without white space around it; what was not
// there is empty.
//
// The URLs are already percent-encoded (%2D, %5F) and must be requested byte for
// byte. They and the ids change under a running VM (live migration, hibernation),
// so they are never to be kept: the wire server answers 410 Gone to old ones.
type GoalState struct {
	// Version is the version of the document, not always that of the protocol.
	Version string
	// Incarnation counts the changes of the goal state. It is no identity: after
	// hibernation it is 1 again, with other ids (WALinuxAgent PR 2562).
	Incarnation string
	// ExpectedState is "Started".
	ExpectedState string
	// StopRolesDeadlineHint is in milliseconds.
	StopRolesDeadlineHint string
	// LBProbePorts are the ports that load balancers once probed.
	LBProbePorts []string
	// ExpectHealthReport says whether the platform waits for reports.
	ExpectHealthReport azprov.Switch
	// ContainerID names the VM's slot on its host. It is opaque, not always a UUID.
	ContainerID string
	// RemoteAccessInfoURL leads to the accounts for just-in-time access.
	RemoteAccessInfoURL string
	// InstanceID is that of the role instance, like "<deployment>.<name>".
	InstanceID string
	// InstanceState is "Started".
	InstanceState string
	// HostingEnvironmentConfigURL leads to a [HostingEnvironmentConfig].
	HostingEnvironmentConfigURL string
	// SharedConfigURL leads to a [SharedConfig].
	SharedConfigURL string
	// ExtensionsConfigURL leads to the extensions to install.
	ExtensionsConfigURL string
	// FullConfigURL leads to all of the configurations in one.
	FullConfigURL string
	// CertificatesURL leads to a [CertificateFile]. It is empty for a VM without.
	CertificatesURL string
	// ConfigName is the role configuration's name; the HostGAPlugin wants it. If
	// the document has several, it is the first.
	ConfigName string
}

// ParseGoalState reads a GoalState document. Without an incarnation or a container
// id it is an error of [azprov.KindMalformed]. Without a role instance, or its
// id, it is one of [azprov.KindNotReady]: the platform writes such a goal state
// for a moment while it changes it (WALinuxAgent PR 2016), and the next read
// finds it whole. Any of the URLs may be missing.
func ParseGoalState(b []byte) (GoalState, error) {
	const op = "goalstate.ParseGoalState"
	root, err := parseXML(op, "GoalState", b)
	if err != nil {
		return GoalState{}, err
	}
	machine, container := root.at("Machine"), root.at("Container")
	role := container.at("RoleInstanceList", "RoleInstance")
	config := role.at("Configuration")
	g := GoalState{
		Version:                     root.text("Version"),
		Incarnation:                 root.text("Incarnation"),
		ExpectedState:               machine.text("ExpectedState"),
		StopRolesDeadlineHint:       machine.text("StopRolesDeadlineHint"),
		LBProbePorts:                machine.at("LBProbePorts").texts("Port"),
		ExpectHealthReport:          readSwitch(machine.text("ExpectHealthReport")),
		ContainerID:                 container.text("ContainerId"),
		RemoteAccessInfoURL:         container.text("RemoteAccessInfo"),
		InstanceID:                  role.text("InstanceId"),
		InstanceState:               role.text("State"),
		HostingEnvironmentConfigURL: config.text("HostingEnvironmentConfig"),
		SharedConfigURL:             config.text("SharedConfig"),
		ExtensionsConfigURL:         config.text("ExtensionsConfig"),
		FullConfigURL:               config.text("FullConfig"),
		CertificatesURL:             config.text("Certificates"),
		ConfigName:                  config.text("ConfigName"),
	}
	return g.checked(op)
}

// checked words the errors as cloud-init does.
func (g GoalState) checked(op string) (GoalState, error) {
	switch {
	case g.Incarnation == "":
		return GoalState{}, malformed(op, "missing incarnation in GoalState XML")
	case g.ContainerID == "":
		return GoalState{}, malformed(op, "missing container_id in GoalState XML")
	case g.InstanceID == "":
		return GoalState{}, &azprov.Error{
			Op: op, Kind: azprov.KindNotReady,
			Message: "missing instance_id in GoalState XML",
			Hint:    "the platform is changing the goal state; read it again after half a second",
		}
	default:
		return g, nil
	}
}

// SameAs reports whether both are of one role instance in one container. Their
// incarnations and URLs may differ.
func (g GoalState) SameAs(other GoalState) bool {
	return g.ContainerID == other.ContainerID && g.InstanceID == other.InstanceID
}

// Changed reports whether anything that a reader of the goal state acts on
// differs from other: the incarnation, an id, the configuration's name or a URL.
func (g GoalState) Changed(other GoalState) bool {
	return !g.SameAs(other) || g.Incarnation != other.Incarnation || g.ConfigName != other.ConfigName ||
		!slices.Equal(g.urls(), other.urls())
}

func (g GoalState) urls() []string {
	return []string{
		g.RemoteAccessInfoURL, g.HostingEnvironmentConfigURL, g.SharedConfigURL,
		g.ExtensionsConfigURL, g.FullConfigURL, g.CertificatesURL,
	}
}

// Encode returns the document as the wire server writes it for version 2012-11-30
// of the protocol, URLs as they are. What is empty is left out; without an
// InstanceID that is the whole list of role instances, which makes the goal state
// that [ParseGoalState] calls not ready.
func (g GoalState) Encode() []byte {
	w := newWriter()
	w.startSchema("GoalState", "goalstate10.xsd")
	w.text("Version", g.Version)
	w.text("Incarnation", g.Incarnation)
	w.start("Machine")
	w.text("ExpectedState", g.ExpectedState)
	w.text("StopRolesDeadlineHint", g.StopRolesDeadlineHint)
	if len(g.LBProbePorts) > 0 {
		w.start("LBProbePorts")
		for _, port := range g.LBProbePorts {
			w.text("Port", port)
		}
		w.end()
	}
	w.text("ExpectHealthReport", strings.ToUpper(writeSwitch(g.ExpectHealthReport)))
	w.end()
	w.start("Container")
	w.text("ContainerId", g.ContainerID)
	w.text("RemoteAccessInfo", g.RemoteAccessInfoURL)
	if g.InstanceID != "" {
		g.encodeRoleInstance(w)
	}
	w.end()
	w.end()
	return w.bytes()
}

func (g GoalState) encodeRoleInstance(w *writer) {
	w.start("RoleInstanceList")
	w.start("RoleInstance")
	w.text("InstanceId", g.InstanceID)
	w.text("State", g.InstanceState)
	w.start("Configuration")
	w.text("HostingEnvironmentConfig", g.HostingEnvironmentConfigURL)
	w.text("SharedConfig", g.SharedConfigURL)
	w.text("ExtensionsConfig", g.ExtensionsConfigURL)
	w.text("FullConfig", g.FullConfigURL)
	w.text("Certificates", g.CertificatesURL)
	w.text("ConfigName", g.ConfigName)
	w.end()
	w.end()
	w.end()
}
