package goalstate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// What a wire server answers, here the emulator's, asked with plain net/http.
func Example() {
	ctx := context.Background()
	scenario, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		fmt.Println(err)
		return
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := fabric.ListenInMemory(ctx)
	defer func() { _ = server.Close() }()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.WireServerURL()+"/machine/?comp=goalstate", http.NoBody)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set(goalstate.HeaderVersion, goalstate.ProtocolVersion)
	resp, err := server.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := goalstate.ParseGoalState(body)
	fmt.Println(g.Incarnation, g.ExpectedState, g.InstanceState, err)
	// Output: 1 Started Started <nil>
}

func ExampleParseGoalState() {
	g, err := goalstate.ParseGoalState([]byte(`<?xml version="1.0" encoding="utf-8"?>
<GoalState>
  <Version>2012-11-30</Version>
  <Incarnation>1</Incarnation>
  <Container>
    <ContainerId>0c5bb9f4-3f0d-4f4c-9a27-1de0b5a6f001</ContainerId>
    <RoleInstanceList>
      <RoleInstance>
        <InstanceId>tenant1._vm1</InstanceId>
        <Configuration>
          <Certificates>http://192.0.2.16/machine/c/tenant1.%5Fvm1?comp=certificates&amp;incarnation=1</Certificates>
        </Configuration>
      </RoleInstance>
    </RoleInstanceList>
  </Container>
</GoalState>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.InstanceID)
	fmt.Println(g.CertificatesURL)
	// Output:
	// tenant1._vm1
	// http://192.0.2.16/machine/c/tenant1.%5Fvm1?comp=certificates&incarnation=1
}

// A goal state without a role instance is worth another read.
func ExampleParseGoalState_notReady() {
	_, err := goalstate.ParseGoalState([]byte(`<GoalState>
  <Incarnation>1</Incarnation>
  <Container><ContainerId>c</ContainerId></Container>
</GoalState>`))
	fmt.Println(errors.Is(err, azprov.ErrNotReady))
	fmt.Println(err)
	// Output:
	// true
	// goalstate.ParseGoalState: missing instance_id in GoalState XML; the platform is changing the goal state; read it again after half a second
}

func ExampleVersions_Supports() {
	v, err := goalstate.ParseVersions([]byte(`<Versions>
  <Preferred><Version>2015-04-05</Version></Preferred>
  <Supported><Version>2015-04-05</Version><Version>2012-11-30</Version></Supported>
</Versions>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Supports(goalstate.ProtocolVersion))
	// Output: true
}

// A report that is too long loses supporting data, not what names the VM.
func ExampleHealth_EncodeJSON() {
	body, err := goalstate.Health{
		State:     goalstate.HealthStateNotReady,
		SubStatus: goalstate.HealthSubStatusProvisioningFailed,
		Description: "result=error|reason=unhandled exception|traceback=" + strings.Repeat("x", 5000) +
			"|vm_id=91267c52-9f02-4cfe-b1f4-a4da7ebac2cf",
	}.EncodeJSON()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(body))
	fmt.Println(string(body[len(body)-45:]))
	// Output:
	// 4095
	// vm_id=91267c52-9f02-4cfe-b1f4-a4da7ebac2cf"}}
}

func ExampleHealth_EncodeXML() {
	body, err := goalstate.Health{
		Incarnation: "1",
		ContainerID: "c",
		InstanceID:  "tenant1._vm1",
		State:       goalstate.HealthStateReady,
	}.EncodeXML()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, health, _ := strings.Cut(string(body), "XMLSchema\">")
	fmt.Println(health)
	// Output:
	// <GoalStateIncarnation>1</GoalStateIncarnation><Container><ContainerId>c</ContainerId><RoleInstanceList><Role><InstanceId>tenant1._vm1</InstanceId><Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>
}
