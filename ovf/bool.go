package ovf

import (
	"strings"

	"github.com/azprov/azprov"
)

// parseSwitch reads a boolean as cloud-init does (util.translate_bool): what is
// not one of the words for true is false, an empty element too. known is false
// for a text that means neither.
func parseSwitch(text string) (position azprov.Switch, known bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "on", "yes":
		return azprov.SwitchOn, true
	case "", "false", "0", "off", "no":
		return azprov.SwitchOff, true
	default:
		return azprov.SwitchOff, false
	}
}
