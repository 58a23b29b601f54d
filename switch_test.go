package azprov_test

import (
	"encoding/json"
	"testing"

	"github.com/azprov/azprov"
)

func TestSwitch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		value  azprov.Switch
		text   string
		json   string
		on, ok bool
	}{
		{azprov.SwitchUnset, "unset", "null", false, false},
		{azprov.SwitchOff, "off", "false", false, true},
		{azprov.SwitchOn, "on", "true", true, true},
	} {
		b, err := json.Marshal(row.value)
		if on, ok := row.value.Value(); on != row.on || ok != row.ok || row.value.String() != row.text || err != nil || string(b) != row.json {
			t.Errorf("%s: %v %v, JSON %s, %v", row.text, on, ok, b, err)
		}
		back := azprov.SwitchOn
		if err := json.Unmarshal(b, &back); err != nil || back != row.value {
			t.Errorf("%s came back as %s, %v", row.text, back, err)
		}
	}
	if len(azprov.PossibleSwitchValues()) != 3 {
		t.Error("a switch has three positions")
	}
	if azprov.NewSwitch(true) != azprov.SwitchOn || azprov.NewSwitch(false) != azprov.SwitchOff {
		t.Error("NewSwitch")
	}
	var s azprov.Switch
	if err := json.Unmarshal([]byte(`"true"`), &s); err == nil {
		t.Error("a string is no switch")
	}
}
