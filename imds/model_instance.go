package imds

import (
	"reflect"

	"github.com/azprov/azprov"
)

// Instance is the document of /metadata/instance. Which fields are filled depends
// on the api-version it was asked with; fields newer than that, like fields that
// do not apply, are empty. The service adds fields without notice: what the
// models do not know is in [Instance.Raw].
//
// Encoding an Instance as JSON gives the known fields under their own names, with
// user data redacted and booleans and numbers as strings.
type Instance struct {
	// Compute describes the VM. It may be missing on classic VMs and on partial
	// answers; see [Instance.Complete].
	Compute Compute `json:"compute"`
	// Network lists the network interfaces. It may be missing, or lack
	// interfaces, in early boot and while one is attached (cloud-init PRs 549,
	// 1257, 6807).
	Network Network `json:"network"`
	// Extended is for provisioning agents; it comes only if asked for.
	Extended Extended `json:"extended"`
	// Warnings names what the document holds in a shape that could not be used,
	// by path and without values. At most 16 lines.
	Warnings []string `json:"-"`

	raw azprov.Secret
}

// Extended is what extended=true adds to the document since 2021-08-01. It is not
// documented; cloud-init and azure-init rely on it.
type Extended struct {
	Compute ExtendedCompute `json:"compute"`
}

// ExtendedCompute tells a provisioning agent what the platform expects of it.
type ExtendedCompute struct {
	// HasCustomData says that the provisioning medium carries custom data. The
	// service sends a JSON boolean.
	HasCustomData Bool `json:"hasCustomData"`
	// PPSType is the kind of pre-provisioning the VM is in.
	PPSType PPSType `json:"ppsType"`
}

// ParseInstance reads the document of /metadata/instance. It is tolerant: unknown
// keys are ignored, keys match in any case, null is like "", and a JSON boolean
// or number where a string is expected becomes its text. A value of a wrong shape
// loses that value alone and is named in Warnings.
//
// A document over [MaxDocument] is an error of [azprov.KindTooLarge]. One that is
// not UTF-8, not exactly one JSON object, or a redacted copy is of
// [azprov.KindMalformed]. The reason of both is "error parsing IMDS metadata".
// An object without any known field is no error here; ask [Instance.Complete].
func ParseInstance(b []byte) (Instance, error) {
	var instance Instance
	warnings, err := parseDocument("imds.ParseInstance", b, '{', &instance)
	if err != nil {
		return Instance{}, err
	}
	instance.Warnings = warnings
	instance.raw = azprov.NewSecret(b)
	return instance, nil
}

// ParseCompute reads the document of /metadata/instance/compute, as tolerantly as
// [ParseInstance] and with the same errors. The warnings name what was left out.
func ParseCompute(b []byte) (compute Compute, warnings []string, err error) {
	warnings, err = parseDocument("imds.ParseCompute", b, '{', &compute)
	if err != nil {
		return Compute{}, nil, err
	}
	return compute, warnings, nil
}

// Raw returns the document as it came, user data included. It is zero for an Instance
// that was not parsed.
func (i Instance) Raw() azprov.Secret { return i.raw }

// Complete returns nil if the document can serve as the provisioning read: it says
// something of compute. Else it returns an error of [azprov.KindNotReady]: without
// extended=true the service may answer 200 with part of the data while one of its
// backing providers fails (Azure/azure-init issue 134).
func (i Instance) Complete() error {
	if !reflect.ValueOf(i.Compute).IsZero() {
		return nil
	}
	return &azprov.Error{
		Op: "imds.Instance.Complete", Kind: azprov.KindNotReady,
		Message: "the document has no compute: it is not complete yet",
		Reason:  "invalid IMDS metadata for key=compute",
		Details: []azprov.Detail{{Key: "key", Value: "compute"}, {Key: "value", Value: ""}},
	}
}
