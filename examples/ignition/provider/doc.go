// Package provider is what Ignition's internal/providers/azure would be with this SDK: the
// user's config from user data or custom data, and a Status hook that tells the platform how
// the stages go.
//
// [Provider] has the fields of Ignition's internal/platform.Provider. A program outside of
// Ignition cannot import that package, so Fetcher, Logger and ErrNeedNet stand here for those
// of Ignition's internal/resource and internal/log; docs/ignition.md says what changes where.
//
// Of the Azure SDK it links azcore alone, without azidentity and azblob.
package provider
