package goalstate

// The elements that HostingEnvironmentConfig and SharedConfig have in common.

// Deployment is the deployment (the tenant) that the VM belongs to.
type Deployment struct {
	Name string
	// GUID is in braces, as everywhere in these documents.
	GUID            string
	Incarnation     string
	Service         Service
	ServiceInstance Service
}

// Service is a service, or an instance of one, in a [Deployment].
type Service struct {
	Name string
	GUID string
}

// RoleIncarnation says which role instance the document is for.
type RoleIncarnation struct {
	Number string
	// Instance is the name of the role instance, which is the VM's.
	Instance string
	GUID     string
}

// Role describes the role of which the VM is an instance.
type Role struct {
	GUID                      string
	Name                      string
	HostingEnvironmentVersion string
	Software                  string
	SoftwareType              string
	EntryPoint                string
	Parameters                string
	SettleTimeSeconds         string
}

func readDeployment(n node) Deployment {
	return Deployment{
		Name:            n.attr("name"),
		GUID:            n.attr("guid"),
		Incarnation:     n.attr("incarnation"),
		Service:         readService(n.at("Service")),
		ServiceInstance: readService(n.at("ServiceInstance")),
	}
}

func (d Deployment) write(w *writer) {
	if d == (Deployment{}) {
		return
	}
	w.start("Deployment", attr{"name", d.Name}, attr{"guid", d.GUID}, attr{"incarnation", d.Incarnation})
	w.leaf("Service", attr{"name", d.Service.Name}, attr{"guid", d.Service.GUID})
	w.leaf("ServiceInstance", attr{"name", d.ServiceInstance.Name}, attr{"guid", d.ServiceInstance.GUID})
	w.end()
}

func readService(n node) Service {
	return Service{Name: n.attr("name"), GUID: n.attr("guid")}
}

func readRoleIncarnation(n node) RoleIncarnation {
	return RoleIncarnation{Number: n.attr("number"), Instance: n.attr("instance"), GUID: n.attr("guid")}
}

func (i RoleIncarnation) write(w *writer) {
	w.leaf("Incarnation", attr{"number", i.Number}, attr{"instance", i.Instance}, attr{"guid", i.GUID})
}

func readRole(n node) Role {
	return Role{
		GUID:                      n.attr("guid"),
		Name:                      n.attr("name"),
		HostingEnvironmentVersion: n.attr("hostingEnvironmentVersion"),
		Software:                  n.attr("software"),
		SoftwareType:              n.attr("softwareType"),
		EntryPoint:                n.attr("entryPoint"),
		Parameters:                n.attr("parameters"),
		SettleTimeSeconds:         n.attr("settleTimeSeconds"),
	}
}

func (r Role) write(w *writer) {
	w.leaf(
		"Role",
		attr{"guid", r.GUID},
		attr{"name", r.Name},
		attr{"hostingEnvironmentVersion", r.HostingEnvironmentVersion},
		attr{"software", r.Software},
		attr{"softwareType", r.SoftwareType},
		attr{"entryPoint", r.EntryPoint},
		attr{"parameters", r.Parameters},
		attr{"settleTimeSeconds", r.SettleTimeSeconds},
	)
}
