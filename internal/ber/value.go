package ber

import (
	"errors"
	"strconv"
	"strings"
)

const (
	maxIntBytes = 4
	// maxOID is far over any identifier: those in use have some 10 octets.
	maxOID = 64
	// An arc is read in groups of 7 bits, of which these many fit into 63.
	maxArcOctets = 9
)

// Octets returns the value of an OCTET STRING, which may be tagged otherwise. One that
// was chopped into pieces comes as a copy, any other aliases the document.
func (e Element) Octets() ([]byte, error) {
	if !e.Constructed {
		return e.Content, nil
	}
	whole := make([]byte, 0, len(e.Content))
	return e.appendOctets(whole)
}

func (e Element) appendOctets(whole []byte) ([]byte, error) {
	if !e.Constructed {
		return append(whole, e.Content...), nil
	}
	var err error
	pieces := e.Children()
	for pieces.More() {
		piece := pieces.Take(OctetString)
		if pieces.Err() != nil {
			return nil, pieces.Err()
		}
		if whole, err = piece.appendOctets(whole); err != nil {
			return nil, err
		}
	}
	return whole, nil
}

// Int returns the value of an INTEGER from 0 to 2^31-1.
func (e Element) Int() (int, error) {
	if e.Constructed || len(e.Content) == 0 {
		return 0, errors.New("an empty or constructed INTEGER")
	}
	if e.Content[0]&0x80 != 0 || len(e.Content) > maxIntBytes {
		return 0, errors.New("an INTEGER below 0 or over 2147483647")
	}
	n := 0
	for _, octet := range e.Content {
		n = n<<8 | int(octet)
	}
	return n, nil
}

// OID returns an OBJECT IDENTIFIER in dotted form.
func (e Element) OID() (string, error) {
	if e.Constructed || len(e.Content) == 0 || len(e.Content) > maxOID || e.Content[len(e.Content)-1]&0x80 != 0 {
		return "", errors.New("an OBJECT IDENTIFIER that is none")
	}
	var text strings.Builder
	arc, octets := uint64(0), 0
	for _, octet := range e.Content {
		arc = arc<<7 | uint64(octet&0x7f)
		if octets++; octets > maxArcOctets {
			return "", errors.New("an OBJECT IDENTIFIER with an arc that is too large")
		}
		if octet&0x80 != 0 {
			continue
		}
		if text.Len() == 0 { // the first two arcs are one number
			root := min(arc/40, 2)
			text.WriteString(strconv.FormatUint(root, 10))
			arc -= root * 40
		}
		text.WriteString("." + strconv.FormatUint(arc, 10))
		arc, octets = 0, 0
	}
	return text.String(), nil
}
