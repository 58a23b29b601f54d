package azprov

// Switch is a setting that may be on, off, or not set at all. "Not set" leaves
// the image's own default alone, which is why it is not the same as off.
type Switch uint8

// The three positions.
const (
	SwitchUnset Switch = iota
	SwitchOff
	SwitchOn
)

// PossibleSwitchValues returns all positions.
func PossibleSwitchValues() []Switch { return []Switch{SwitchUnset, SwitchOff, SwitchOn} }

// NewSwitch returns SwitchOn or SwitchOff.
func NewSwitch(on bool) Switch {
	if on {
		return SwitchOn
	}
	return SwitchOff
}

// Value returns the position; ok is false if it is not set.
func (s Switch) Value() (on, ok bool) { return s == SwitchOn, s != SwitchUnset }

// String returns "on", "off" or "unset".
func (s Switch) String() string {
	switch s {
	case SwitchOn:
		return "on"
	case SwitchOff:
		return "off"
	default:
		return "unset"
	}
}

// MarshalJSON gives true, false or null.
func (s Switch) MarshalJSON() ([]byte, error) {
	switch s {
	case SwitchOn:
		return []byte("true"), nil
	case SwitchOff:
		return []byte("false"), nil
	default:
		return []byte("null"), nil
	}
}

// UnmarshalJSON reads true, false or null; anything else is an error of
// [KindMalformed].
func (s *Switch) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		*s = SwitchOn
	case "false":
		*s = SwitchOff
	case "null":
		*s = SwitchUnset
	default:
		return &Error{Op: "azprov.Switch.UnmarshalJSON", Kind: KindMalformed, Message: "want true, false or null"}
	}
	return nil
}
