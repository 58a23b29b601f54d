package lease

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A value is the text by which a client shows an option. A quoted one has lost its quotes
// and its escapes: it is the option's bytes, if the client could print them.
type value struct {
	text   string
	quoted bool
}

var errText = errors.New("its text is not understood")

// ParseWireServer reads option 245 as DHCP clients hand it to their users: the 4 bytes
// themselves, or a text of them: octets in hexadecimal with or without colons, characters
// in quotes or with the escapes of dhclient, a dotted address.
//
// Errors: Malformed (none of these, or the address of no host).
func ParseWireServer(raw []byte) (netip.Addr, error) {
	const op = "lease.ParseWireServer"
	if len(raw) > maxSize {
		return netip.Addr{}, malformed(op, "option 245 has 4 bytes")
	}
	b := raw
	if len(raw) != 4 {
		b, _ = wireServerBytes(newValue(raw))
	}
	a, err := host(b)
	switch {
	case errors.Is(err, errAddress):
		return netip.Addr{}, malformed(op, "option 245 is "+quote(string(raw))+", want 4 bytes or a text of them")
	case err != nil:
		return netip.Addr{}, malformed(op, "option 245: "+err.Error())
	}
	return a, nil
}

// wireServerBytes turns a text of option 245 into its bytes. cloud-init (its
// get_ip_from_lease_value) takes 4 characters for the bytes whatever they are; here
// hexadecimal goes first where the client did not quote, because dhclient quotes all that
// it can print.
func wireServerBytes(v value) ([]byte, error) {
	text := v.text
	if !v.quoted {
		if b, ok := hexBytes(text); ok {
			return b, nil
		}
		text = unescape(text)
	}
	if len(text) == 4 {
		return []byte(text), nil
	}
	if b, ok := hexBytes(text); ok && len(b) == 4 {
		return b, nil
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
		return a.AsSlice(), nil
	}
	return nil, errText
}

// hexBytes reads octets with colons between them, of one or two digits each, or without
// colons, of two.
func hexBytes(text string) ([]byte, bool) {
	if !strings.Contains(text, ":") {
		b, err := hex.DecodeString(text)
		return b, err == nil && len(b) > 0
	}
	b := make([]byte, 0, len(text)/2+1)
	for octet := range strings.SplitSeq(text, ":") {
		n, err := strconv.ParseUint(octet, 16, 8)
		if err != nil || len(octet) > 2 {
			return nil, false
		}
		b = append(b, byte(n))
	}
	return b, true
}

// unescape takes the escapes out of what dhclient has quoted: three octal digits for a
// byte that it does not print, and the character itself (dhclient's pretty_escape).
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		before, after, found := strings.Cut(text, `\`)
		b.WriteString(before)
		if !found || after == "" {
			return b.String()
		}
		c, size := after[0], 1
		if len(after) >= 3 {
			if n, err := strconv.ParseUint(after[:3], 8, 8); err == nil {
				c, size = byte(n), 3
			}
		}
		b.WriteByte(c)
		text = after[size:]
	}
	return b.String()
}

// separators stand between the parts of a list: which, depends on the client.
func separators(r rune) bool { return r == ' ' || r == ',' || r == '\t' }

// routesBytes turns a text of classless routes into option 121. An error comes with what
// is before the mistake.
func routesBytes(v value) ([]byte, error) {
	switch {
	case v.quoted:
		return []byte(v.text), nil
	case strings.Contains(v.text, "/"):
		return routePairs(v.text)
	case !strings.ContainsAny(v.text, ", \t"):
		if b, ok := hexBytes(v.text); ok {
			return b, nil
		}
		return nil, errText
	}
	var b []byte
	for octet := range strings.FieldsFuncSeq(v.text, separators) {
		n, err := strconv.ParseUint(octet, 10, 8)
		if err != nil {
			return b, errText
		}
		b = append(b, byte(n))
	}
	return b, nil
}

// routePairs reads destinations with their prefix, each with its gateway behind it.
func routePairs(text string) (b []byte, err error) {
	var destination netip.Prefix
	for part := range strings.FieldsFuncSeq(text, separators) {
		if !destination.IsValid() {
			destination, err = netip.ParsePrefix(part)
			if err != nil || !destination.Addr().Is4() {
				return b, errText
			}
			continue
		}
		gateway, err := netip.ParseAddr(part)
		if err != nil || !gateway.Is4() {
			return b, errText
		}
		bits := destination.Bits()
		b = append(b, byte(bits)) //nolint:gosec // A prefix of IPv4 has 32 bits at most.
		b = append(b, destination.Addr().AsSlice()[:(bits+7)/8]...)
		b = append(b, gateway.AsSlice()...)
		destination = netip.Prefix{}
	}
	if destination.IsValid() {
		return b, errors.New("a destination without a gateway")
	}
	return b, nil
}

func addressBytes(v value) (b []byte, err error) {
	for part := range strings.FieldsFuncSeq(v.text, separators) {
		a, err := netip.ParseAddr(part)
		if err != nil || !a.Is4() {
			return nil, errText
		}
		b = append(b, a.AsSlice()...)
	}
	return b, nil
}

func textBytes(v value) ([]byte, error) { return []byte(v.text), nil }

func number16(v value) ([]byte, error) {
	n, err := strconv.ParseUint(v.text, 10, 16)
	if err != nil {
		return nil, errText
	}
	return binary.BigEndian.AppendUint16(nil, uint16(n)), nil
}

// number32 also knows how systemd-networkd writes a lifetime without end.
func number32(v value) ([]byte, error) {
	if v.text == "infinity" {
		return []byte{255, 255, 255, 255}, nil
	}
	n, err := strconv.ParseUint(v.text, 10, 32)
	if err != nil {
		return nil, errText
	}
	return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
}

// A shownOption is an option under the name that a client has for it.
type shownOption struct {
	code  byte
	bytes func(value) ([]byte, error)
}

// addText adds an option by its text. Of one that is there twice the first counts, and
// one without a text is not there.
func (d *draft) addText(options Options, name string, shown shownOption, v value) {
	if _, ok := options[shown.code]; ok || v.text == "" {
		return
	}
	b, err := shown.bytes(v)
	if err != nil {
		d.warn(fmt.Sprintf("%s is %s: %v", name, quote(v.text), err))
	}
	if len(b) > 0 {
		options[shown.code] = b
	}
}

// quote shows a text from outside in one line, not more of it than helps.
func quote(text string) string { return strconv.Quote(text[:min(len(text), maxQuoted)]) }
