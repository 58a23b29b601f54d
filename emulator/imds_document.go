package emulator

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/azprov/azprov"
)

// An object is a JSON object of the instance document.
type object = map[string]any

// instanceDocument makes the whole answer to /metadata/instance?extended=true at
// the newest api-version; every request gets a pruned copy. All primitives but
// hasCustomData are strings, and what does not apply is there and empty, as on
// the real service (Microsoft, "Azure Instance Metadata Service", schema).
// patch is what parsePatch has made.
func instanceDocument(s Scenario, vm VM, ppsType string, patch object) object {
	hasCustomData, ok := s.IMDS.HasCustomData.Value()
	if !ok {
		hasCustomData = vm.CustomData.Len() > 0
	}
	return mergePatch(object{
		"compute": computeDocument(vm),
		"network": networkDocument(vm),
		"extended": object{"compute": object{
			"hasCustomData": hasCustomData,
			"ppsType":       ppsType,
		}},
	}, patch).(object)
}

// parsePatch reads a JSON merge patch over a document, from the field of that name; none is
// an empty one. Parts of it become parts of documents, which are not changed.
func parsePatch(patch json.RawMessage, field string) (object, error) {
	if len(patch) == 0 {
		return object{}, nil
	}
	changes, err := decodePatch(patch)
	if err != nil {
		return nil, malformed("emulator.NewFabric", field+" is not JSON")
	}
	parsed, ok := changes.(object)
	if !ok {
		return nil, malformed("emulator.NewFabric", field+" is not a JSON object")
	}
	return parsed, nil
}

// mergePatch is RFC 7396: null removes, objects merge, anything else replaces.
func mergePatch(target, patch any) any {
	changes, ok := patch.(object)
	if !ok {
		return patch
	}
	merged, ok := target.(object)
	if !ok {
		merged = object{}
	}
	for key, change := range changes {
		if change == nil {
			delete(merged, key)
			continue
		}
		merged[key] = mergePatch(merged[key], change)
	}
	return merged
}

func computeDocument(vm VM) object {
	trusted := vm.Generation == 2
	c := object{
		"additionalCapabilities":     object{"hibernationEnabled": "false"},
		"azEnvironment":              vm.Environment,
		"customData":                 "", // Disabled since January 2020.
		"evictionPolicy":             "",
		"extendedLocation":           object{"name": "", "type": ""},
		"host":                       object{"id": ""},
		"hostGroup":                  object{"id": ""},
		"isHostCompatibilityLayerVm": "false",
		"isVmInStandbyPool":          "",
		"licenseType":                "",
		"location":                   vm.Location,
		"name":                       vm.Name,
		"offer":                      vm.Image.Offer,
		"osProfile": object{
			"adminUsername":                 vm.UserName,
			"computerName":                  vm.HostName,
			"disablePasswordAuthentication": switchText(vm.DisablePasswordAuthentication),
		},
		"osType":               "Linux",
		"physicalZone":         "",
		"placementGroupId":     "",
		"plan":                 object{"name": "", "product": "", "publisher": ""},
		"platformFaultDomain":  "0",
		"platformUpdateDomain": "0",
		"priority":             "",
		"provider":             "Microsoft.Compute",
		"publicKeys":           keysDocument(vm),
		"publisher":            vm.Image.Publisher,
		"resourceGroupName":    vm.ResourceGroup,
		"resourceId":           vm.resourceID("virtualMachines/" + vm.Name),
		"securityProfile": object{
			"encryptionAtHost":  "false",
			"secureBootEnabled": boolText(trusted),
			"securityType":      "",
			"virtualTpmEnabled": boolText(trusted),
		},
		"sku":                    vm.Image.SKU,
		"storageProfile":         storageDocument(vm),
		"subscriptionId":         vm.SubscriptionID,
		"userData":               base64.StdEncoding.EncodeToString(vm.UserData.Reveal()),
		"version":                vm.Image.Version,
		"virtualMachineScaleSet": object{"id": ""},
		"vmId":                   vm.ID.String(),
		"vmScaleSetName":         "",
		"vmSize":                 vm.Size,
		"zone":                   vm.Zone,
	}
	c["platformSubFaultDomain"], c["systemFaultDomain"] = "", ""
	c["tags"], c["tagsList"] = tagsDocument(vm)
	if vm.Zone != "" {
		c["physicalZone"] = vm.Location + "-AZ0" + vm.Zone
	}
	if trusted {
		c["securityProfile"].(object)["securityType"] = "TrustedLaunch"
	}
	return c
}

func keysDocument(vm VM) []any {
	keys := make([]any, 0, len(vm.SSHKeys))
	for _, key := range vm.SSHKeys {
		keys = append(keys, object{"keyData": key.imdsKeyData(), "path": key.Path})
	}
	return keys
}

// tagsDocument gives both forms: the list, and the text that cannot tell a
// separator from a value.
func tagsDocument(vm VM) (string, []any) {
	text := make([]string, 0, len(vm.Tags))
	list := make([]any, 0, len(vm.Tags))
	for _, tag := range vm.Tags {
		text = append(text, tag.Name+":"+tag.Value)
		list = append(list, object{"name": tag.Name, "value": tag.Value})
	}
	return strings.Join(text, ";"), list
}

func storageDocument(vm VM) object {
	disk := vm.Name + "_OsDisk_1"
	return object{
		"dataDisks": []any{},
		"imageReference": object{
			"communityGalleryImageId": "", "exactVersion": vm.Image.Version, "id": "",
			"offer": vm.Image.Offer, "publisher": vm.Image.Publisher,
			"sharedGalleryImageId": "", "sku": vm.Image.SKU, "version": "latest",
		},
		"osDisk": object{
			"caching":          "ReadWrite",
			"createOption":     "FromImage",
			"diffDiskSettings": object{"option": ""},
			"diskSizeGB":       "30",
			"encryptionSettings": object{
				"diskEncryptionKey": object{"secretUrl": "", "sourceVault": object{"id": ""}},
				"enabled":           "false",
				"keyEncryptionKey":  object{"keyUrl": "", "sourceVault": object{"id": ""}},
			},
			"image": object{"uri": ""},
			"managedDisk": object{
				"id":                 vm.resourceID("disks/" + disk),
				"storageAccountType": "Premium_LRS",
			},
			"name":                    disk,
			"osType":                  "Linux",
			"vhd":                     object{"uri": ""},
			"writeAcceleratorEnabled": "false",
		},
		"resourceDisk": object{"size": "0"},
	}
}

func networkDocument(vm VM) object {
	interfaces := make([]any, 0, len(vm.Interfaces))
	for _, nic := range vm.Interfaces {
		v4, v6, subnets := []any{}, []any{}, []any{}
		seen := map[netip.Prefix]bool{}
		for _, prefix := range nic.Addresses {
			address := object{"privateIpAddress": prefix.Addr().String()}
			if prefix.Addr().Is6() {
				v6 = append(v6, address) // IPv6 has no subnet in this document.
				continue
			}
			address["publicIpAddress"] = ""
			v4 = append(v4, address)
			if subnet := prefix.Masked(); !seen[subnet] {
				seen[subnet] = true
				length := subnet.String()
				subnets = append(subnets, object{
					"address": subnet.Addr().String(),
					"prefix":  length[strings.LastIndexByte(length, '/')+1:],
				})
			}
		}
		interfaces = append(interfaces, object{
			"ipv4":       object{"ipAddress": v4, "subnet": subnets},
			"ipv6":       object{"ipAddress": v6},
			"macAddress": nic.MACAddress,
		})
	}
	return object{"interface": interfaces}
}

// resourceID is the ARM id of a Microsoft.Compute resource of the VM's group.
func (vm VM) resourceID(suffix string) string {
	return "/subscriptions/" + vm.SubscriptionID + "/resourceGroups/" + vm.ResourceGroup +
		"/providers/Microsoft.Compute/" + suffix
}

func switchText(s azprov.Switch) string {
	on, ok := s.Value()
	if !ok {
		return ""
	}
	return boolText(on)
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
