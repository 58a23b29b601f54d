package provision

import (
	"context"
	"strconv"

	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
)

// SSHKeys returns the administrator's SSH keys by the rule of [Provisioner.Collect], for
// agents that have read IMDS and want no more: IMDS's keys if all of them can be used; else
// the medium's, those that it names by fingerprint from resolver, see [CertificateKeys];
// else those of IMDS that can be used. The medium is read, and resolver asked, only if
// that decides.
//
// The keys are OpenSSH public keys, one line each, in the platform's order; none is an
// answer. Time is bounded by ctx, the medium and resolver alone.
//
// Errors: those of Medium.Read, NotFound among them if neither source has keys that can
// be used, and of ResolveKeys. With some keys at hand either is a warning.
func SSHKeys(ctx context.Context, compute imds.Compute, medium Medium, resolver KeyResolver) (keys, warnings []string, err error) {
	inst := &imds.GetInstanceResponse{Instance: imds.Instance{Compute: compute}}
	usable, count := usableKeys(inst)
	if count {
		return usable, nil, nil
	}
	some := func(keys []string, err error) ([]string, []string, error) {
		if len(keys) == 0 || ctx.Err() != nil {
			return nil, nil, err
		}
		return keys, []string{"some SSH keys cannot be had: " + err.Error()}, nil
	}
	env, err := medium.Read(ctx, func() {})
	if err != nil {
		return some(usable, err)
	}
	var resolved ResolvedKeys
	if wanted := byFingerprint(env); len(wanted) > 0 {
		if resolved, err = resolver.ResolveKeys(ctx, wanted); err != nil {
			return some(chooseKeys(inst, env, nil).lines, err)
		}
	}
	chosen := chooseKeys(inst, env, resolved.Keys)
	return chosen.lines, append(resolved.Warnings, chosen.warnings...), nil
}

// chosenKeys is what became of the keys of all sources.
type chosenKeys struct {
	lines    []string
	source   Source // empty for the medium
	lost     int    // keys of the medium that were left out
	warnings []string
}

// chooseKeys merges IMDS's keys, the medium's, and those found for its fingerprints.
func chooseKeys(inst *imds.GetInstanceResponse, env *ovf.Environment, resolved map[string]string) chosenKeys {
	usable, count := usableKeys(inst)
	if count {
		return chosenKeys{lines: usable, source: SourceIMDS}
	}
	c := chosenKeys{lines: []string{}}
	for i, key := range env.PublicKeys {
		if line, ok := mediumKey(key); ok {
			c.lines = append(c.lines, line)
			continue
		}
		if line := resolved[key.Thumbprint()]; line != "" {
			c.lines, c.source = append(c.lines, line), SourceCertificates
			continue
		}
		c.lost++
		c.warnings = append(c.warnings, "the medium's SSH key "+strconv.Itoa(i+1)+" was left out: no OpenSSH key, and none was found for its fingerprint")
	}
	if len(c.lines) == 0 && len(usable) > 0 {
		c.lines, c.source = usable, SourceIMDS
		c.warnings = append(c.warnings, "some of IMDS's SSH keys cannot be used and the medium has none; the usable ones were taken")
	}
	return c
}

// usableKeys returns IMDS's keys that can be used, and whether these are the ones to
// take: there are some, and all can. A certificate among them means that the medium's
// are the right ones.
func usableKeys(inst *imds.GetInstanceResponse) (lines []string, count bool) {
	if inst == nil {
		return nil, false
	}
	for _, key := range inst.Compute.PublicKeys {
		if line, ok := key.OpenSSH(); ok {
			lines = append(lines, line)
		}
	}
	return lines, len(lines) > 0 && len(lines) == len(inst.Compute.PublicKeys)
}

// mediumKey returns the value of a key of the medium, unfolded as IMDS's are; ok is
// false if it is no OpenSSH key, so that its fingerprint counts.
func mediumKey(key ovf.PublicKey) (line string, ok bool) {
	return imds.PublicKey{KeyData: key.Value}.OpenSSH()
}
