package lease

import (
	"bytes"
	"fmt"
	"slices"
)

// The options that are read. Their values are in RFC 2132, RFC 3442 (121) and [MS-DHCPE]
// (249); 245 is Azure's own.
const (
	optionPad         = 0
	optionSubnetMask  = 1
	optionRouter      = 3
	optionDNS         = 6
	optionHostName    = 12
	optionDomain      = 15
	optionMTU         = 26
	optionLifetime    = 51
	optionOverload    = 52
	optionMessageType = 53
	optionServer      = 54
	optionRenewalTime = 58
	optionRoutes      = 121
	optionEnd         = 255
)

// The options that clients' libraries have no name for.
const (
	OptionWireServer      = 245
	OptionMicrosoftRoutes = 249
)

// Where things are in a packet (RFC 2131, section 2).
const (
	offsetOp      = 0
	offsetAddress = 16 // yiaddr
	offsetSName   = 44
	offsetFile    = 108
	offsetCookie  = 236
	offsetOptions = 240
	bootReply     = 2
)

// cookie begins the options of DHCP.
var cookie = []byte{99, 130, 83, 99}

// Options maps the number of an option to its value. One that is there more than once is
// one long value (RFC 3396).
type Options map[byte][]byte

// ParseOptions reads a field of options, without the cookie before it. It ends at the end
// option or with the field. What does not fit into the field is left out, with a warning.
func ParseOptions(field []byte) (Options, []string) {
	options := Options{}
	warnings := options.add(field, nil)
	return options, warnings
}

// add reads one field of options. The pad option has no length byte; agents that think it
// has lose what is behind it.
func (o Options) add(field []byte, warnings []string) []string {
	for len(field) > 0 {
		code := field[0]
		field = field[1:]
		switch {
		case code == optionPad:
			continue
		case code == optionEnd:
			return warnings
		case len(field) == 0 || len(field) < 1+int(field[0]):
			return addWarning(warnings, fmt.Sprintf("option %d is cut off", code))
		}
		end := 1 + int(field[0])
		o[code] = append(o[code], field[1:end]...)
		field = field[end:]
	}
	return warnings
}

// ParsePacket reads the server's side of a DHCP exchange, an offer or an acknowledgement:
// IP payload without the header of UDP. It is also what dhcpcd keeps as its lease.
//
// Errors: Malformed (no packet of DHCP, not a server's, or none that gives a lease),
// TooLarge.
func ParsePacket(packet []byte) (Lease, error) {
	const op = "lease.ParsePacket"
	if err := checkSize(op, packet); err != nil {
		return Lease{}, err
	}
	if len(packet) < offsetOptions || !bytes.Equal(packet[offsetCookie:offsetOptions], cookie) {
		return Lease{}, malformed(op, "no packet of DHCP")
	}
	if packet[offsetOp] != bootReply {
		return Lease{}, malformed(op, "not a server's packet")
	}
	options, warnings := packetOptions(packet)
	if kind := options[optionMessageType]; kind != nil && !slices.Contains([]string{"\x02", "\x05"}, string(kind)) {
		return Lease{}, malformed(op, "neither an offer nor an acknowledgement")
	}
	d := draft{}
	d.Warnings = warnings
	d.take(options)
	if a, ok := address(packet[offsetAddress : offsetAddress+4]); ok && !a.IsUnspecified() {
		d.Address = a
	}
	return d.finish(), nil
}

// packetOptions reads a packet's options in the order in which long ones are put together
// (RFC 3396, section 5): the field of options, then file, then sname, if option 52 says
// that these hold options.
func packetOptions(packet []byte) (Options, []string) {
	options, warnings := ParseOptions(packet[offsetOptions:])
	overload := options[optionOverload]
	if overload == nil {
		return options, warnings
	}
	if len(overload) != 1 || overload[0] < 1 || overload[0] > 3 {
		return options, addWarning(warnings, "option 52 is none of 1, 2 and 3")
	}
	if overload[0]&1 != 0 {
		warnings = options.add(packet[offsetFile:offsetCookie], warnings)
	}
	if overload[0]&2 != 0 {
		warnings = options.add(packet[offsetSName:offsetFile], warnings)
	}
	return options, warnings
}

// Lease returns what the options say. It has no Address, which is no option.
func (o Options) Lease() Lease {
	d := draft{}
	d.take(o)
	return d.finish()
}

// optionSetters are the options that make a lease, in the order of their warnings.
var optionSetters = []struct {
	code byte
	set  func(*draft, []byte) error
}{
	{optionSubnetMask, (*draft).setMask},
	{optionRouter, (*draft).setRouter},
	{optionDNS, (*draft).setDNS},
	{optionHostName, (*draft).setHostName},
	{optionDomain, (*draft).setDomain},
	{optionMTU, (*draft).setMTU},
	{optionLifetime, (*draft).setLifetime},
	{optionServer, (*draft).setServer},
	{optionRenewalTime, (*draft).setRenewAfter},
	{optionRoutes, (*draft).setRoutes},
	{OptionMicrosoftRoutes, (*draft).setMicrosoftRoutes},
	{OptionWireServer, (*draft).setWireServer},
}

// take reads all options that matter. One that cannot be read counts as absent.
func (d *draft) take(options Options) {
	for _, row := range optionSetters {
		value, ok := options[row.code]
		if !ok {
			continue
		}
		if err := row.set(d, value); err != nil {
			d.warn(fmt.Sprintf("option %d: %v", row.code, err))
		}
	}
}
