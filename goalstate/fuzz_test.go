package goalstate_test

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

// What parses can be written, and then parses to the same.
func FuzzParseGoalState(f *testing.F) {
	f.Add(testGoalState().Encode())
	f.Add([]byte("<GoalState><Incarnation>1</Incarnation><Container><ContainerId>c</ContainerId><RoleInstanceList>" +
		"<RoleInstance><InstanceId>i</InstanceId></RoleInstance></RoleInstanceList></Container></GoalState>"))
	f.Add([]byte("<GoalState/><GoalState/>"))
	f.Add([]byte("\xff\xfe<\x00G\x00"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, in []byte) {
		g, err := goalstate.ParseGoalState(in)
		if err != nil {
			var e *azprov.Error
			if !errors.As(err, &e) || e.Op == "" || !cmp.Equal(g, goalstate.GoalState{}) {
				t.Fatalf("%#v, %+v", err, g)
			}
			return
		}
		again, err := goalstate.ParseGoalState(g.Encode())
		if azprov.KindOf(err) == azprov.KindTooLarge {
			return // Escaping made it longer.
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g, again); diff != "" || g.Changed(again) {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// What parses, in either form, and can be sent fits and says the same.
func FuzzParseHealth(f *testing.F) {
	for _, h := range []goalstate.Health{
		testHealth(goalstate.HealthStateReady, "", ""),
		testHealth(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioningFailed, failureRecord),
		testHealth(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioning, "a\tb <&> \"c\""),
	} {
		for _, encode := range []func(goalstate.Health) ([]byte, error){goalstate.Health.EncodeXML, goalstate.Health.EncodeJSON} {
			b, err := encode(h)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, parse := range []func([]byte) (goalstate.Health, error){goalstate.ParseHealthXML, goalstate.ParseHealthJSON} {
			h, err := parse(in)
			if err != nil {
				continue
			}
			if h.Incarnation == "" || h.ContainerID == "" || h.InstanceID == "" {
				h.Incarnation, h.ContainerID, h.InstanceID = "1", "c", "i"
			}
			checkSent(t, h, goalstate.Health.EncodeXML, goalstate.ParseHealthXML)
			checkSent(t, h, goalstate.Health.EncodeJSON, goalstate.ParseHealthJSON)
		}
	})
}

func checkSent(
	t *testing.T, h goalstate.Health,
	encode func(goalstate.Health) ([]byte, error), parse func([]byte) (goalstate.Health, error),
) {
	t.Helper()
	body, err := encode(h)
	if err != nil {
		var e *azprov.Error
		if !errors.As(err, &e) {
			t.Fatalf("%#v", err)
		}
		return
	}
	if len(body) > goalstate.MaxHealthBody || !utf8.Valid(body) {
		t.Fatalf("%d bytes: %q", len(body), body)
	}
	again, err := parse(body)
	if err != nil {
		t.Fatalf("%v: %q", err, body)
	}
	if again.State != h.State || again.SubStatus != h.SubStatus {
		t.Errorf("%+v became %+v", h, again)
	}
}
