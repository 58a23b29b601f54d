package goalstate

import (
	"strings"

	"github.com/azprov/azprov"
)

// HostingEnvironmentConfig names the VM, its deployment and the certificates that
// were stored for it. Today's Azure sends only StoredCertificates and Incarnation;
// the rest is then zero. Texts are as the platform gave them.
type HostingEnvironmentConfig struct {
	// Version is the version of the document.
	Version string
	// GoalStateIncarnation is that of the goal state it was written for.
	GoalStateIncarnation string
	StoredCertificates   []StoredCertificate
	Deployment           Deployment
	Incarnation          RoleIncarnation
	Role                 Role
	Settings             HostingEnvironmentSettings
	ApplicationSettings  []Setting
	ResourceReferences   []Resource
}

// StoredCertificate says what a certificate in the [CertificateFile] is for.
type StoredCertificate struct {
	// Name is "TenantEncryptionCert" for the deployment's own certificate.
	Name string
	// CertificateID is "sha1:" and the thumbprint; see Thumbprint.
	CertificateID string
	// StoreName is "My".
	StoreName string
	// ConfigurationLevel is "System".
	ConfigurationLevel string
}

// Thumbprint returns the certificate's SHA-1 in upper case, without the "sha1:"
// in front. The platform writes either case (WALinuxAgent issue 1291).
func (c StoredCertificate) Thumbprint() string {
	id := strings.ToUpper(strings.TrimSpace(c.CertificateID))
	return strings.TrimPrefix(id, "SHA1:")
}

// HostingEnvironmentSettings describes the runtime of a cloud service's role.
type HostingEnvironmentSettings struct {
	Name    string
	Runtime string
}

// Setting is a setting of the application.
type Setting struct {
	Name string
	// Value is secret: storage connection strings come with their account key.
	Value azprov.Secret
}

// Resource is a local resource, such as a directory, that was asked for.
type Resource struct {
	Name    string
	Type    string
	Request string
	Sticky  azprov.Switch
	// Size is in MiB.
	Size         string
	Path         string
	DisableQuota azprov.Switch
}

// ParseHostingEnvironmentConfig reads a HostingEnvironmentConfig document. No part
// of it is required; for the errors see the package documentation.
func ParseHostingEnvironmentConfig(b []byte) (HostingEnvironmentConfig, error) {
	root, err := parseXML("goalstate.ParseHostingEnvironmentConfig", "HostingEnvironmentConfig", b)
	if err != nil {
		return HostingEnvironmentConfig{}, err
	}
	settings := root.at("HostingEnvironmentSettings")
	h := HostingEnvironmentConfig{
		Version:              root.attr("version"),
		GoalStateIncarnation: root.attr("goalStateIncarnation"),
		Deployment:           readDeployment(root.at("Deployment")),
		Incarnation:          readRoleIncarnation(root.at("Incarnation")),
		Role:                 readRole(root.at("Role")),
		Settings:             HostingEnvironmentSettings{Name: settings.attr("name"), Runtime: settings.attr("runtime")},
	}
	for _, n := range root.at("StoredCertificates").all("StoredCertificate") {
		h.StoredCertificates = append(h.StoredCertificates, StoredCertificate{
			Name:               n.attr("name"),
			CertificateID:      n.attr("certificateId"),
			StoreName:          n.attr("storeName"),
			ConfigurationLevel: n.attr("configurationLevel"),
		})
	}
	for _, n := range root.at("ApplicationSettings").all("Setting") {
		h.ApplicationSettings = append(h.ApplicationSettings, Setting{
			Name: n.attr("name"), Value: azprov.NewSecret([]byte(n.attr("value"))),
		})
	}
	for _, n := range root.at("ResourceReferences").all("Resource") {
		h.ResourceReferences = append(h.ResourceReferences, Resource{
			Name:         n.attr("name"),
			Type:         n.attr("type"),
			Request:      n.attr("request"),
			Sticky:       readSwitch(n.attr("sticky")),
			Size:         n.attr("size"),
			Path:         n.attr("path"),
			DisableQuota: readSwitch(n.attr("disableQuota")),
		})
	}
	return h, nil
}

// Encode returns the document as the wire server writes it, the values of the
// settings in clear. What is empty is left out.
func (h HostingEnvironmentConfig) Encode() []byte {
	w := newWriter()
	w.start(
		"HostingEnvironmentConfig",
		attr{"version", h.Version},
		attr{"goalStateIncarnation", h.GoalStateIncarnation},
	)
	h.writeStoredCertificates(w)
	h.Deployment.write(w)
	h.Incarnation.write(w)
	h.Role.write(w)
	w.leaf("HostingEnvironmentSettings", attr{"name", h.Settings.Name}, attr{"runtime", h.Settings.Runtime})
	if len(h.ApplicationSettings) > 0 {
		w.start("ApplicationSettings")
		for _, s := range h.ApplicationSettings {
			w.leaf("Setting", attr{"name", s.Name}, attr{"value", s.Value.RevealString()})
		}
		w.end()
	}
	h.writeResources(w)
	w.end()
	return w.bytes()
}

func (h HostingEnvironmentConfig) writeStoredCertificates(w *writer) {
	if len(h.StoredCertificates) == 0 {
		return
	}
	w.start("StoredCertificates")
	for _, c := range h.StoredCertificates {
		w.leaf(
			"StoredCertificate",
			attr{"name", c.Name},
			attr{"certificateId", c.CertificateID},
			attr{"storeName", c.StoreName},
			attr{"configurationLevel", c.ConfigurationLevel},
		)
	}
	w.end()
}

func (h HostingEnvironmentConfig) writeResources(w *writer) {
	if len(h.ResourceReferences) == 0 {
		return
	}
	w.start("ResourceReferences")
	for _, r := range h.ResourceReferences {
		w.leaf(
			"Resource",
			attr{"name", r.Name},
			attr{"type", r.Type},
			attr{"request", r.Request},
			attr{"sticky", writeSwitch(r.Sticky)},
			attr{"size", r.Size},
			attr{"path", r.Path},
			attr{"disableQuota", writeSwitch(r.DisableQuota)},
		)
	}
	w.end()
}
