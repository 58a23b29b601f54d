package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"syscall"
)

// Types of messages, linux/netlink.h and linux/rtnetlink.h. The constants are not those
// of package syscall, which has them for Linux only: messages are read anywhere.
const (
	TypeError   = 2
	TypeDone    = 3
	TypeOverrun = 4
	TypeNewLink = 16
	TypeDelLink = 17
	typeGetLink = 18
)

// Flags of messages.
const (
	// FlagInterrupted (NLM_F_DUMP_INTR): interfaces came or went while the kernel was
	// listing them, so that the list may lack some, or have some twice.
	FlagInterrupted = 0x10
	flagRequest     = 0x1
	flagDump        = 0x300
)

// Attributes of linux/if_link.h.
const (
	attributeAddress        = 1
	attributeName           = 3
	attributeMaster         = 10
	attributeOperState      = 16
	attributeLinkInfo       = 18
	attributeCarrierChanges = 35
	attributeInfoKind       = 1 // within attributeLinkInfo
	// attributeType masks NLA_F_NESTED and NLA_F_NET_BYTEORDER.
	attributeType = 0x3fff
)

const (
	headerSize          = 16 // struct nlmsghdr
	infoSize            = 16 // struct ifinfomsg
	attributeHeaderSize = 4  // struct rtattr

	maxName    = 15 // IFNAMSIZ with its zero is 16
	maxAddress = 32 // MAX_ADDR_LEN
	// maxKind is twice the longest kind that Linux has.
	maxKind = 32
)

// ErrDamaged is the error of bytes that are not netlink messages.
var ErrDamaged = errors.New("a damaged netlink message")

// Message is what a netlink message says of one interface, or of a request.
type Message struct {
	Type, Flags uint16
	// Seq is the request's number in an answer to one.
	Seq uint32
	// Errno is why a request or a listing failed, for TypeError and TypeDone; 0 is
	// success.
	Errno syscall.Errno
	// Link without its driver, for TypeNewLink and TypeDelLink.
	Link Link
	// HasOperState tells the state Unknown from none.
	HasOperState bool
}

// partial reports whether m does not describe the whole interface, as the messages of
// wireless drivers (IFLA_WIRELESS) do not: what it lacks is as it was.
func (m Message) partial() bool { return m.Link.Name == "" || !m.HasOperState }

// Parse reads the messages of a datagram in their order. It leaves out those that are
// about neither an interface nor a request. The error is [ErrDamaged] or nil; with it
// come all messages that are not damaged, as far as it can be told where they begin.
func Parse(b []byte) (messages []Message, err error) {
	for len(b) > 0 {
		if len(b) < headerSize {
			return messages, ErrDamaged
		}
		length := uint64(binary.NativeEndian.Uint32(b))
		if length < headerSize || length > uint64(len(b)) {
			return messages, ErrDamaged
		}
		m, relevant, intact := parseMessage(b[:length])
		switch {
		case !intact:
			err = ErrDamaged
		case relevant:
			messages = append(messages, m)
		}
		b = b[min(aligned(length), uint64(len(b))):]
	}
	return messages, err
}

// aligned rounds up to the four bytes to which messages and attributes are padded.
func aligned(n uint64) uint64 { return (n + 3) &^ 3 }

func parseMessage(b []byte) (m Message, relevant, intact bool) {
	m.Type = binary.NativeEndian.Uint16(b[4:])
	m.Flags = binary.NativeEndian.Uint16(b[6:])
	m.Seq = binary.NativeEndian.Uint32(b[8:])
	body := b[headerSize:]
	switch m.Type {
	case TypeOverrun:
		return m, true, true
	case TypeError, TypeDone:
		m.Errno, intact = parseErrno(body)
		return m, true, intact || m.Type == TypeDone // without a number it is the end, too
	case TypeNewLink, TypeDelLink:
		relevant, intact = m.parseLink(body)
		return m, relevant, intact
	default:
		return m, false, true
	}
}

// parseErrno reads a number that the kernel writes negative.
func parseErrno(b []byte) (syscall.Errno, bool) {
	if len(b) < 4 {
		return 0, false
	}
	return syscall.Errno(-binary.NativeEndian.Uint32(b)), true
}

// parseLink reads struct ifinfomsg and its attributes. Messages of another family than
// AF_UNSPEC are not relevant: AF_BRIDGE's tell of ports, and a port that leaves its
// bridge is an RTM_DELLINK for an interface that stays.
func (m *Message) parseLink(b []byte) (relevant, intact bool) {
	if len(b) < infoSize {
		return false, false
	}
	const familyUnspecified = 0
	m.Link.Index = interfaceIndex(b[4:])
	m.Link.Flags = binary.NativeEndian.Uint32(b[8:])
	intact = eachAttribute(b[infoSize:], m.setAttribute)
	return b[0] == familyUnspecified && m.Link.Index > 0, intact
}

// eachAttribute calls set with each attribute's type and value. It is false if one does
// not fit in; bytes behind the last that are too few for another are padding.
func eachAttribute(b []byte, set func(kind uint16, value []byte)) bool {
	for len(b) >= attributeHeaderSize {
		length := uint64(binary.NativeEndian.Uint16(b))
		if length < attributeHeaderSize || length > uint64(len(b)) {
			return false
		}
		set(binary.NativeEndian.Uint16(b[2:])&attributeType, b[attributeHeaderSize:length])
		b = b[min(aligned(length), uint64(len(b))):]
	}
	return true
}

// setAttribute keeps one attribute. A value that the kernel would not give is none.
func (m *Message) setAttribute(kind uint16, value []byte) {
	switch kind {
	case attributeName:
		m.Link.Name = interfaceName(value)
	case attributeAddress:
		if len(value) <= maxAddress {
			m.Link.Address = Address(value)
		}
	case attributeOperState:
		if len(value) > 0 {
			m.Link.OperState, m.HasOperState = OperState(value[0]), true
		}
	case attributeMaster:
		if len(value) >= 4 {
			m.Link.Master = interfaceIndex(value)
		}
	case attributeCarrierChanges:
		if len(value) >= 4 {
			m.Link.CarrierChanges = binary.NativeEndian.Uint32(value)
		}
	case attributeLinkInfo:
		eachAttribute(value, func(kind uint16, value []byte) {
			if s := untilZero(value); kind == attributeInfoKind && len(s) <= maxKind {
				m.Link.Kind = s
			}
		})
	}
}

// interfaceIndex returns a positive int of C, or 0.
func interfaceIndex(b []byte) int {
	n := binary.NativeEndian.Uint32(b)
	if n > math.MaxInt32 {
		return 0
	}
	return int(n)
}

// interfaceName returns a name that the kernel allows (dev_valid_name in
// net/core/dev.c), or none. It becomes part of a path in sysfs.
func interfaceName(value []byte) string {
	name := untilZero(value)
	if len(name) > maxName || name == "." || name == ".." || strings.ContainsAny(name, "/: \t\n\v\f\r") {
		return ""
	}
	return name
}

func untilZero(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// dumpRequest asks for the list of all interfaces.
func dumpRequest(seq uint32) []byte {
	const size = headerSize + infoSize
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, size)
	binary.NativeEndian.PutUint16(b[4:], typeGetLink)
	binary.NativeEndian.PutUint16(b[6:], flagRequest|flagDump)
	binary.NativeEndian.PutUint32(b[8:], seq)
	return b
}
