package lease

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// dhclientOptions are the names that dhclient has for options. One whose name it does not
// know is unknown-N, on OpenBSD option-N. Nobody's dhclient knows 245 by name; the routes
// have the name that the system's dhclient.conf gives them, else unknown-121.
var dhclientOptions = map[string]shownOption{
	"subnet-mask":                     {optionSubnetMask, addressBytes},
	"routers":                         {optionRouter, addressBytes},
	"domain-name-servers":             {optionDNS, addressBytes},
	"host-name":                       {optionHostName, textBytes},
	"domain-name":                     {optionDomain, textBytes},
	"interface-mtu":                   {optionMTU, number16},
	"dhcp-lease-time":                 {optionLifetime, number32},
	"dhcp-renewal-time":               {optionRenewalTime, number32},
	"dhcp-server-identifier":          {optionServer, addressBytes},
	"rfc3442-classless-static-routes": {optionRoutes, routesBytes},
	"classless-static-routes":         {optionRoutes, routesBytes},
	"static_routes":                   {optionRoutes, routesBytes},
	"unknown-121":                     {optionRoutes, routesBytes},
	"option-121":                      {optionRoutes, routesBytes},
	"ms-classless-static-routes":      {OptionMicrosoftRoutes, routesBytes},
	"unknown-249":                     {OptionMicrosoftRoutes, routesBytes},
	"option-249":                      {OptionMicrosoftRoutes, routesBytes},
	"unknown-245":                     {OptionWireServer, wireServerBytes},
	"option-245":                      {OptionWireServer, wireServerBytes},
}

// ParseDhclient reads a file of ISC dhclient's, or of the BSDs' (dhclient.leases(5)), and
// returns its leases for IPv4 in their order: the last that has not ended is the one in
// force. Of more than 256 the last ones are returned.
//
// A lease without an end, or whose end cannot be read, counts as over, as WALinuxAgent has
// it; so does one that dhclient was still writing.
//
// Errors: TooLarge.
func ParseDhclient(file []byte) ([]Lease, error) {
	if err := checkSize("lease.ParseDhclient", file); err != nil {
		return nil, err
	}
	var leases []Lease
	s := &scanner{rest: file}
	for {
		st, ok := s.next()
		if !ok {
			return lastLeases(leases), nil
		}
		word, _ := cutWord(st.text)
		switch {
		case st.end != '{':
		case word != "lease":
			s.skipBlock() // lease6, and what is not known
		default:
			leases = append(leases, s.lease())
			if len(leases) >= 2*maxLeases {
				leases = append(leases[:0], lastLeases(leases)...)
			}
		}
	}
}

func lastLeases(leases []Lease) []Lease { return leases[max(0, len(leases)-maxLeases):] }

// skipBlock reads to the brace that closes the block.
func (s *scanner) skipBlock() {
	for depth := 1; depth > 0; {
		st, ok := s.next()
		switch {
		case !ok:
			return
		case st.end == '{':
			depth++
		case st.end == '}':
			depth--
		}
	}
}

// lease reads the statements of a lease.
func (s *scanner) lease() Lease {
	d, options := draft{}, Options{}
	d.Expires = unreadable
	for {
		st, ok := s.next()
		switch {
		case !ok || st.end == 0:
			d.Expires = unreadable
			d.warn("the lease is cut off")
			d.take(options)
			return d.finish()
		case st.end == '{':
			s.skipBlock()
		default:
			d.statement(options, st.text)
		}
		if st.end == '}' {
			d.take(options)
			return d.finish()
		}
	}
}

// statement reads one statement of a lease.
func (d *draft) statement(options Options, text []byte) {
	word, rest := cutWord(text)
	switch word {
	case "interface":
		d.Interface = newValue(rest).text
	case "fixed-address":
		if a, err := netip.ParseAddr(string(rest)); err == nil && a.Is4() {
			d.Address = a
		}
	case "expire":
		end, err := parseExpire(string(rest))
		if err != nil {
			d.warn("expire is " + quote(string(rest)) + ": " + err.Error())
		}
		d.Expires = end
	case "option":
		name, rest := cutWord(rest)
		if shown, ok := dhclientOptions[name]; ok {
			d.addText(options, name, shown, newValue(rest))
		}
	}
}

var (
	errDate = errors.New("no date; the lease counts as over")
	errZone = errors.New("a time zone that is not known; taken for UTC")
)

// parseExpire reads when a lease ends: "never", with the number of a weekday before it or
// not; "4 2015/06/16 16:58:54" in UTC, on OpenBSD with the name of the zone behind it;
// "epoch 1434473934" with db-time-format local.
func parseExpire(text string) (time.Time, error) {
	words := strings.Fields(text)
	if len(words) == 2 && words[0] == "epoch" {
		return parseEpoch(words[1])
	}
	if len(words) > 1 && len(words[0]) == 1 {
		words = words[1:] // the weekday
	}
	switch {
	case len(words) == 1 && words[0] == "never":
		return time.Time{}, nil
	case len(words) != 2 && len(words) != 3:
		return unreadable, errDate
	}
	// Some write days and hours of one digit; this layout takes both.
	end, err := time.Parse("2006/1/2 15:4:5", words[0]+" "+words[1])
	switch {
	case err != nil || end.Before(unreadable): // the year 1 is how Go has no time at all
		return unreadable, errDate
	case len(words) == 3 && words[2] != "UTC" && words[2] != "GMT":
		return end, errZone
	default:
		return end, nil
	}
}

// parseEpoch reads seconds since 1970. Zero would be taken for no end.
func parseEpoch(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return unreadable, errDate
	}
	return time.Unix(n, 0).UTC(), nil
}
