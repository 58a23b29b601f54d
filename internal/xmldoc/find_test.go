package xmldoc

import (
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
)

const findDoc = `<R xmlns="urn:r" xmlns:p="urn:a" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
  <p:A><p:B n="1">one</p:B></p:A>
  <A><B>other namespace</B></A>
  <q:A xmlns:q="urn:a" xmlns:n="urn:no" n:n="3"><q:B n="2">two</q:B></q:A>
  <A xmlns="urn:a"><B>three</B></A>
  <u:A>undeclared prefix</u:A>
  <p:Nil i:nil="true"/><p:Nil i:nil=" 1 "/><p:Nil i:nil="false"/><p:Nil nil="true"/><p:Nil p:nil="true"/><p:Nil/>
  <T> a<!-- x -->b<![CDATA[<c>]]><?pi?>&amp;d<s>lost</s>e </T>
</R>`

func parseFindDoc(t *testing.T) *etree.Element {
	t.Helper()
	root, err := Parse(testOp, []byte(findDoc), Options{Root: "R", Namespace: "urn:r"})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestNamesAreComparedByNamespace(t *testing.T) {
	t.Parallel()
	root := parseFindDoc(t)
	var got []string
	for _, a := range Children(root, "urn:a", "A") {
		got = append(got, Text(Child(a, "urn:a", "B")))
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
		t.Error(diff)
	}
	if got := Text(Find(root, "urn:r", "A", "B")); got != "other namespace" {
		t.Errorf("Find = %q", got)
	}
	if n := len(Children(root, "", "A")); n != 1 {
		t.Errorf("%d elements without a namespace, want the one with the undeclared prefix", n)
	}
	if Find(root, "urn:a", "A", "C", "D") != nil || Find(root, "urn:a") != root {
		t.Error("Find: want nil where the path ends and the element for no path")
	}
}

func TestNilElement(t *testing.T) {
	t.Parallel()
	if Child(nil, "", "A") != nil || Children(nil, "", "A") != nil || Text(nil) != "" || IsNil(nil) {
		t.Error("a nil element has something")
	}
	if _, ok := Attr(nil, "n"); ok {
		t.Error("a nil element has an attribute")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	if got, want := Text(Child(parseFindDoc(t), "urn:r", "T")), " ab<c>&de "; got != want {
		t.Errorf("Text = %q, want %q", got, want)
	}
}

func TestAttr(t *testing.T) {
	t.Parallel()
	as := Children(parseFindDoc(t), "urn:a", "A")
	if v, ok := Attr(Child(as[0], "urn:a", "B"), "n"); v != "1" || !ok {
		t.Errorf("n = %q, %v", v, ok)
	}
	if v, ok := Attr(as[1], "n"); v != "3" || !ok {
		t.Errorf("n of another namespace = %q, %v, want 3 and not the declaration", v, ok)
	}
	if v, ok := Attr(as[2], "xmlns"); ok {
		t.Errorf("a namespace declaration counts as attribute %q", v)
	}
}

func TestIsNil(t *testing.T) {
	t.Parallel()
	var got []bool
	for _, el := range Children(parseFindDoc(t), "urn:a", "Nil") {
		got = append(got, IsNil(el))
	}
	if diff := cmp.Diff([]bool{true, true, false, false, false, false}, got); diff != "" {
		t.Error(diff)
	}
}
