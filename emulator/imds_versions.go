package emulator

import "slices"

// documentedVersions are the api-versions that Microsoft documents as supported,
// oldest first ("Azure Instance Metadata Service", supported API versions).
func documentedVersions() []string {
	return []string{
		previewVersion, "2017-04-02", "2017-08-01", "2017-10-01", "2017-12-01", "2018-02-01",
		"2018-04-02", "2018-10-01", "2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01",
		"2019-06-04", "2019-08-01", "2019-08-15", "2019-11-01", "2020-06-01", "2020-07-15",
		"2020-09-01", "2020-10-01", "2020-12-01", "2021-01-01", "2021-02-01", "2021-03-01",
		"2021-05-01", "2021-08-01", "2021-10-01", "2021-11-01", "2021-11-15", "2021-12-13",
		"2023-07-01", "2023-11-15", "2024-03-15", "2024-07-17", "2025-04-07",
	}
}

const (
	// previewVersion is listed, but its document had other names in it. No agent
	// asks for it, so it is refused here.
	previewVersion = "2017-03-01"
	// extendedSince is the first version with extended=true
	// (canonical/cloud-init pull request 1093).
	extendedSince = "2021-08-01"
	// newestVersions is how many versions a refusal names.
	newestVersions = 3
)

// since gives the api-version that a field came with, where that is later than the
// first. Array elements are written []. Fields that are not listed are in every
// version. The versions are those of the documentation's schema tables, except
// isVmInStandbyPool and systemFaultDomain: these are undocumented, and have the
// version they were first seen with.
func since() map[string]string {
	table := map[string]string{}
	for version, paths := range map[string][]string{
		"2017-08-01": {
			"compute.tags", "compute.subscriptionId", "compute.resourceGroupName",
			"compute.placementGroupId",
		},
		"2017-12-01": {"compute.zone", "compute.vmScaleSetName"},
		"2018-04-02": {"compute.plan", "compute.publicKeys"},
		"2018-10-01": {"compute.azEnvironment", "compute.provider"},
		"2019-02-01": {"compute.customData"},
		"2019-03-11": {"compute.resourceId"},
		"2019-06-01": {"compute.storageProfile"},
		"2019-06-04": {"compute.tagsList"},
		"2020-06-01": {
			"compute.isHostCompatibilityLayerVm", "compute.securityProfile",
			"compute.storageProfile.osDisk.diffDiskSettings", // Since swagger's examples have it.
		},
		"2020-07-15": {"compute.osProfile"},
		"2020-09-01": {"compute.licenseType"},
		"2020-10-01": {"compute.osProfile.disablePasswordAuthentication"},
		"2020-12-01": {"compute.priority", "compute.evictionPolicy"},
		"2021-01-01": {"compute.userData"},
		"2021-02-01": {"compute.storageProfile.resourceDisk"},
		"2021-03-01": {"compute.extendedLocation", "compute.virtualMachineScaleSet"},
		"2021-05-01": {
			"compute.storageProfile.dataDisks[].bytesPerSecondThrottle",
			"compute.storageProfile.dataDisks[].diskCapacityBytes",
			"compute.storageProfile.dataDisks[].isSharedDisk",
			"compute.storageProfile.dataDisks[].isUltraDisk",
			"compute.storageProfile.dataDisks[].opsPerSecondThrottle",
		},
		"2021-10-01": {"compute.platformSubFaultDomain"},
		"2021-11-01": {
			"compute.additionalCapabilities",
			"compute.securityProfile.encryptionAtHost",
			"compute.storageProfile.osDisk.encryptionSettings.diskEncryptionKey",
			"compute.storageProfile.osDisk.encryptionSettings.keyEncryptionKey",
		},
		"2021-11-15": {"compute.host", "compute.hostGroup"},
		"2021-12-13": {"compute.securityProfile.securityType"},
		"2023-07-01": {
			"compute.storageProfile.imageReference.communityGalleryImageId",
			"compute.storageProfile.imageReference.exactVersion",
			"compute.storageProfile.imageReference.sharedGalleryImageId",
		},
		"2023-11-15": {"compute.isVmInStandbyPool", "compute.physicalZone"},
		"2025-04-07": {"compute.systemFaultDomain"},
	} {
		for _, path := range paths {
			table[path] = version
		}
	}
	return table
}

// prune returns a copy of value with the fields of the version only.
func prune(value any, path, version string, table map[string]string) any {
	switch v := value.(type) {
	case object:
		kept := make(object, len(v))
		for key, child := range v {
			at := key
			if path != "" {
				at = path + "." + key
			}
			if table[at] <= version {
				kept[key] = prune(child, at, version, table)
			}
		}
		return kept
	case []any:
		kept := make([]any, 0, len(v))
		for _, child := range v {
			kept = append(kept, prune(child, path+"[]", version, table))
		}
		return kept
	default:
		return value
	}
}

// newest returns the newest versions, newest first: what a refusal names.
func newest(versions []string) []string {
	last := slices.Clone(versions[max(0, len(versions)-newestVersions):])
	slices.Reverse(last)
	return last
}
