package goalstate_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

type parser struct {
	op   string
	root string
	// good is a document that parses.
	good  string
	parse func([]byte) (any, error)
}

func parsers() []parser {
	health := goalstate.Health{Incarnation: "1", ContainerID: "c", InstanceID: "i", State: goalstate.HealthStateReady}
	healthXML, _ := health.EncodeXML()
	return []parser{
		{"goalstate.ParseVersions", "Versions", string(testVersions().Encode()), loose(goalstate.ParseVersions)},
		{"goalstate.ParseGoalState", "GoalState", string(testGoalState().Encode()), loose(goalstate.ParseGoalState)},
		{
			"goalstate.ParseHostingEnvironmentConfig", "HostingEnvironmentConfig",
			string(testHostingEnvironment().Encode()), loose(goalstate.ParseHostingEnvironmentConfig),
		},
		{"goalstate.ParseSharedConfig", "SharedConfig", string(testSharedConfig().Encode()), loose(goalstate.ParseSharedConfig)},
		{
			"goalstate.ParseCertificateFile", "CertificateFile",
			string(testCertificateFile().Encode()), loose(goalstate.ParseCertificateFile),
		},
		{"goalstate.ParseServiceError", "Error", string(testServiceError().EncodeXML()), loose(goalstate.ParseServiceError)},
		{"goalstate.ParseHealthXML", "Health", string(healthXML), loose(goalstate.ParseHealthXML)},
	}
}

// Every parser refuses every bad input, with its own name in the error.
func TestBadXML(t *testing.T) {
	t.Parallel()
	const bomb = `<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	for _, tc := range []struct {
		name string
		make func(p parser) string
		kind azprov.Kind
	}{
		{"empty", func(parser) string { return "" }, azprov.KindMalformed},
		{"white space only", func(parser) string { return " \r\n" }, azprov.KindMalformed},
		{"no XML", func(parser) string { return "hello" }, azprov.KindMalformed},
		{"truncated", func(p parser) string { return p.good[:len(p.good)*2/3] }, azprov.KindMalformed},
		{"not UTF-8", func(p parser) string { return strings.Replace(p.good, "</", "\xff\xfe\xfd</", 1) }, azprov.KindMalformed},
		{"two roots", func(p parser) string { return p.good + "<" + p.root + "/>" }, azprov.KindMalformed},
		{"text behind the root", func(p parser) string { return p.good + "x" }, azprov.KindMalformed},
		{"another root", func(parser) string { return "<Environment/>" }, azprov.KindMalformed},
		{"entity bomb", func(p parser) string { return bomb + "<" + p.root + ">&b;</" + p.root + ">" }, azprov.KindMalformed},
		{"1 MiB of nesting", func(p parser) string {
			return "<" + p.root + ">" + strings.Repeat("<a>", 1<<20/3-20)
		}, azprov.KindMalformed},
		{"over size", func(p parser) string { return p.good + strings.Repeat(" ", 1<<20) }, azprov.KindTooLarge},
		{"HTML with status 200", func(parser) string {
			return "<!DOCTYPE html>\n<html><head><title>403</title></head><body><h1>Forbidden</h1></body></html>"
		}, azprov.KindMalformed},
		{"HTML that is no XML", func(parser) string { return "<html><body><br>Service Unavailable</body></html>" }, azprov.KindMalformed},
	} {
		for _, p := range parsers() {
			t.Run(tc.name+"/"+p.root, func(t *testing.T) {
				t.Parallel()
				got, err := p.parse([]byte(tc.make(p)))
				checkRefused(t, p.op, tc.kind, got, err)
			})
		}
	}
}

func TestBadJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   string
		kind azprov.Kind
	}{
		{"truncated", `{"state":"Rea`, azprov.KindMalformed},
		{"not UTF-8", "{\"state\":\"Ready\xff\",\"errorCode\":\"a\xff\"}", azprov.KindMalformed},
		{"two documents", `{"state":"Ready","errorCode":"x"}{}`, azprov.KindMalformed},
		{"wrong types", `{"state":1,"errorCode":1}`, azprov.KindMalformed},
		{"nothing in it", `{}`, azprov.KindMalformed},
		{"1 MiB of nesting", `{"x":` + strings.Repeat("[", 1<<20-10), azprov.KindMalformed},
		{"over size", `{` + strings.Repeat(" ", 1<<20), azprov.KindTooLarge},
	} {
		for op, parse := range map[string]func([]byte) (any, error){
			"goalstate.ParseHealthJSON":   loose(goalstate.ParseHealthJSON),
			"goalstate.ParseServiceError": loose(goalstate.ParseServiceError),
		} {
			t.Run(tc.name+"/"+op, func(t *testing.T) {
				t.Parallel()
				got, err := parse([]byte(tc.in))
				checkRefused(t, op, tc.kind, got, err)
			})
		}
	}
	for _, in := range []string{"", "[]", "null", "Ready", "<Health/>"} {
		t.Run("no object/"+in, func(t *testing.T) {
			t.Parallel()
			got, err := goalstate.ParseHealthJSON([]byte(in))
			checkRefused(t, "goalstate.ParseHealthJSON", azprov.KindMalformed, got, err)
		})
	}
}

// checkRefused wants a typed error of one line, and no half result beside it.
func checkRefused(t *testing.T, op string, kind azprov.Kind, got any, err error) {
	t.Helper()
	var e *azprov.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want an azprov.Error; result %+v", err, got)
	}
	if e.Kind != kind || e.Op != op {
		t.Errorf("error = %v of kind %s, want %s of kind %s", e, e.Kind, op, kind)
	}
	if msg := e.Error(); strings.Contains(msg, "\n") || len(msg) > 500 {
		t.Errorf("error is no line: %q", msg)
	}
	if !reflect.ValueOf(got).IsZero() {
		t.Errorf("result = %+v, want nothing", got)
	}
}

// Bad values inside a well-formed document.
func TestBadContent(t *testing.T) {
	t.Parallel()
	without := func(edit func(*goalstate.GoalState)) string {
		g := testGoalState()
		edit(&g)
		return string(g.Encode())
	}
	for _, tc := range []struct {
		name    string
		in      string
		parse   func([]byte) (any, error)
		kind    azprov.Kind
		message string
	}{
		{
			"no incarnation", without(func(g *goalstate.GoalState) { g.Incarnation = "" }),
			loose(goalstate.ParseGoalState), azprov.KindMalformed, "missing incarnation in GoalState XML",
		},
		{
			"blank incarnation", without(func(g *goalstate.GoalState) { g.Incarnation = " \n" }),
			loose(goalstate.ParseGoalState), azprov.KindMalformed, "missing incarnation in GoalState XML",
		},
		{
			"no container id", without(func(g *goalstate.GoalState) { g.ContainerID, g.InstanceID = "", "" }),
			loose(goalstate.ParseGoalState), azprov.KindMalformed, "missing container_id in GoalState XML",
		},
		{
			"no role instance is transient", without(func(g *goalstate.GoalState) { g.InstanceID = "" }),
			loose(goalstate.ParseGoalState), azprov.KindNotReady, "missing instance_id in GoalState XML",
		},
		{
			"a role instance without an id too", without(func(g *goalstate.GoalState) { g.InstanceID = " " }),
			loose(goalstate.ParseGoalState), azprov.KindNotReady, "missing instance_id in GoalState XML",
		},
		{
			"no version", "<Versions><Preferred/><Supported/></Versions>",
			loose(goalstate.ParseVersions), azprov.KindMalformed, "no Version in Versions XML",
		},
		{
			"certificates that are no base64", "<CertificateFile><Data>MII*</Data></CertificateFile>",
			loose(goalstate.ParseCertificateFile), azprov.KindMalformed, "Data is not base64",
		},
		{
			"certificates cut short", "<CertificateFile><Data>MIIOg</Data></CertificateFile>",
			loose(goalstate.ParseCertificateFile), azprov.KindMalformed, "Data is not base64",
		},
		{
			"health without a state", "<Health><GoalStateIncarnation>1</GoalStateIncarnation></Health>",
			loose(goalstate.ParseHealthXML), azprov.KindMalformed, "missing State in Health XML",
		},
		{
			"an error without a code", "<Error><Code> </Code><Message>m</Message></Error>",
			loose(goalstate.ParseServiceError), azprov.KindMalformed, "no code in the error document",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.parse([]byte(tc.in))
			var e *azprov.Error
			if !errors.As(err, &e) || e.Kind != tc.kind || e.Message != tc.message {
				t.Errorf("error = %v of kind %s, want %q of kind %s", err, azprov.KindOf(err), tc.message, tc.kind)
			}
			if !reflect.ValueOf(got).IsZero() {
				t.Errorf("result = %+v, want nothing", got)
			}
		})
	}
}
