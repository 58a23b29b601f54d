package lease

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// networkdOptions are the names of systemd-networkd (sd_dhcp_lease_save), and of what
// NetworkManager's internal client took from it. That newer ones tell classless routes
// from static ones by CLASSLESS_ROUTES is an assumption.
var networkdOptions = map[string]shownOption{
	"NETMASK":          {optionSubnetMask, addressBytes},
	"ROUTER":           {optionRouter, addressBytes},
	"DNS":              {optionDNS, addressBytes},
	"HOSTNAME":         {optionHostName, textBytes},
	"DOMAINNAME":       {optionDomain, textBytes},
	"MTU":              {optionMTU, number16},
	"SERVER_ADDRESS":   {optionServer, addressBytes},
	"ROUTES":           {optionRoutes, routesBytes},
	"CLASSLESS_ROUTES": {optionRoutes, routesBytes},
	"OPTION_245":       {OptionWireServer, octets},
	"OPTION_249":       {OptionMicrosoftRoutes, octets},
}

// ParseNetworkd reads a lease of systemd-networkd, /run/systemd/netif/leases/INDEX, or one
// of NetworkManager's internal client, which has the same lines, in some versions only the
// address. It never ends: networkd removes the file with the lease, and does not say when
// it was given.
//
// Errors: Malformed (nothing in it is of a lease), TooLarge.
func ParseNetworkd(file []byte) (Lease, error) {
	const op = "lease.ParseNetworkd"
	if err := checkSize(op, file); err != nil {
		return Lease{}, err
	}
	d, options, known := draft{}, Options{}, false
	for line := range bytes.Lines(file) {
		key, text, ok := assignment(line)
		if !ok {
			continue
		}
		shown, isOption := networkdOptions[key]
		switch {
		case isOption:
			d.addText(options, key, shown, value{text: text})
		case key == "ADDRESS":
			d.setAddressText(key, text)
		case key == "LIFETIME":
			// Newer versions write a span like 1h, which nothing here needs.
			if b, err := number32(value{text: text}); err == nil {
				options[optionLifetime] = b
			}
		default:
			continue
		}
		known = true
	}
	if !known {
		return Lease{}, malformed(op, "no lease")
	}
	d.take(options)
	return d.finish(), nil
}

// octets is the form that networkd has for private options: hexadecimal, without colons.
func octets(v value) ([]byte, error) {
	b, ok := hexBytes(v.text)
	if !ok {
		return nil, errText
	}
	return b, nil
}

// assignment reads KEY=VALUE. A comment has no key.
func assignment(line []byte) (key, text string, ok bool) {
	before, after, ok := bytes.Cut(line, []byte("="))
	key = string(bytes.TrimSpace(before))
	return key, string(bytes.TrimSpace(after)), ok && key != "" && key[0] != '#'
}

func (d *draft) setAddressText(name, text string) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		d.warn(name + " is " + quote(text) + ": " + errAddress.Error())
		return
	}
	d.Address = a
}

// networkManagerOption is an option by the name that NetworkManager has for it in D-Bus:
// private options by their number, the others as dhclient has them, but for underscores.
// A table of two would be filled, and its functions linked, in every program.
func networkManagerOption(name string) (shownOption, bool) {
	switch name = strings.ReplaceAll(name, "_", "-"); name {
	case "private-245":
		return shownOption{OptionWireServer, wireServerBytes}, true
	case "private-249":
		return shownOption{OptionMicrosoftRoutes, routesBytes}, true
	}
	shown, ok := dhclientOptions[name]
	return shown, ok
}

// ParseNetworkManager reads the state of a device, /run/NetworkManager/devices/INDEX: a
// keyfile. That its section dhcp4 has the lease, under the names that D-Bus has for options,
// is an assumption: no Azure VM's file was at hand. A keyfile without that section, as there
// is one for each interface without DHCP, has no lease; ok is false then.
//
// Errors: TooLarge.
func ParseNetworkManager(file []byte) (lease Lease, ok bool, err error) {
	if err := checkSize("lease.ParseNetworkManager", file); err != nil {
		return Lease{}, false, err
	}
	d, options, section, found := draft{}, Options{}, "", false
	for line := range bytes.Lines(file) {
		line = bytes.TrimSpace(line)
		if len(line) > 2 && line[0] == '[' && line[len(line)-1] == ']' {
			section = string(line[1 : len(line)-1])
			continue
		}
		key, text, isKey := assignment(line)
		if !isKey || section != "dhcp4" {
			continue
		}
		found = true
		d.keyfileLine(options, key, text)
	}
	if !found {
		return Lease{}, false, nil
	}
	d.take(options)
	return d.finish(), true, nil
}

func (d *draft) keyfileLine(options Options, key, text string) {
	switch key {
	case "ip_address":
		d.setAddressText(key, text)
		return
	case "expiry":
		// The file is of this boot: without a date that can be read the lease counts.
		if end, err := parseEpoch(text); err == nil {
			d.Expires = end
		}
		return
	}
	if shown, ok := networkManagerOption(key); ok {
		d.addText(options, key, shown, value{text: text})
	}
}

// index reads an interface's number from a file's name.
func index(name string) (int, bool) {
	n, err := strconv.ParseInt(name, 10, 32)
	return int(n), err == nil && n > 0
}
